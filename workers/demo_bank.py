"""Loading the demo bank through the front doors: services, and the sandbox's control API."""


def load(sandbox_url: str, *, with_people: bool) -> None:
    print(sandbox_url, with_people)
