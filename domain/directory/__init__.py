"""Who there is: organisations, enterprises, employees, users and channel accounts."""
