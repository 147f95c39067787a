/* Both doors: dialogs, and sending a form once. Handlers sit on the document, so the file may load
   before the page and parts that htmx swaps in later need no second start. */
"use strict";

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  const closer = event.target.closest("[data-closes]");
  if (opener) {
    const dialog = document.getElementById(opener.dataset.opens);
    // Without <dialog> (iOS before 15.4) the link's #fragment shows it through :target instead.
    if (dialog && dialog.showModal) {
      event.preventDefault();
      dialog.showModal();
    }
  } else if (closer) {
    const dialog = closer.closest("dialog");
    if (dialog && dialog.close && dialog.open) {
      event.preventDefault();
      dialog.close();
    }
  } else if (event.target.closest("[data-dismiss]")) {
    event.target.closest(".notice").remove();
  }
});

// A double tap must not send twice. The server is safe against it anyway; this spares people the
// confusing second answer. Buttons are dimmed, not disabled: a disabled one would not be sent along.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
  } else if (!event.defaultPrevented) {
    form.dataset.sent = "1";
    form.classList.add("is-sending");
    form.setAttribute("aria-busy", "true");
  }
});

// Coming back with the back button shows the kept page: its forms must work again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.classList.remove("is-sending");
    form.removeAttribute("aria-busy");
  }
});
