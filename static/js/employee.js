/* Amounts and zero lines, shown or hidden. Loaded in the head and blocking on purpose: amounts that a
   person hid must not flash up on the next page. Kept for the session only, on the device only. */
"use strict";

const root = document.documentElement;

function remembered(name) {
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null; // storage may be forbidden; the page works without memory
  }
}

function remember(name, value) {
  try {
    sessionStorage.setItem(name, value);
  } catch {
    /* as above */
  }
}

function showAmounts(state) {
  root.dataset.amounts = state;
  for (const eye of document.querySelectorAll("[data-eye]")) {
    eye.setAttribute("aria-pressed", String(state === "hidden"));
  }
}

function showZeros(state) {
  for (const scope of document.querySelectorAll("[data-zeros]")) {
    scope.dataset.zeros = state;
  }
  for (const box of document.querySelectorAll("[data-hides-zeros]")) {
    box.checked = state === "hidden";
  }
}

showAmounts(remembered("amounts") || root.dataset.amountsAtFirst || "shown");

document.addEventListener("DOMContentLoaded", () => {
  showAmounts(root.dataset.amounts);
  const zeros = remembered("zeros");
  if (zeros) {
    showZeros(zeros);
  }
  // Controls that only work with this script are hidden in the HTML until it runs.
  for (const element of document.querySelectorAll("[data-needs-script]")) {
    element.hidden = false;
  }
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-eye]")) {
    const state = root.dataset.amounts === "hidden" ? "shown" : "hidden";
    remember("amounts", state);
    showAmounts(state);
  }
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-hides-zeros]")) {
    const state = event.target.checked ? "hidden" : "shown";
    remember("zeros", state);
    showZeros(state);
  }
});
