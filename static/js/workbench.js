/* The workbench: what was dropped into the upload zone, checking all rows, the menu, polls without network. */
"use strict";

function readableSize(bytes) {
  const kilobytes = bytes / 1024;
  return kilobytes < 1024
    ? `${Math.max(1, Math.round(kilobytes))} KB`
    : `${(kilobytes / 1024).toFixed(1)} MB`;
}

// A hint before a long upload only: the server decides by content what a file is.
function complaintAbout(file, input) {
  const endings = input.accept.split(",");
  if (!endings.some((ending) => file.name.toLowerCase().endsWith(ending.trim()))) {
    return `不是支持的格式，请选择 ${endings.join(" ")} 文件`;
  }
  if (file.size === 0) {
    return "文件是空的，请检查后重新选择";
  }
  if (file.size > Number(input.dataset.maxBytes)) {
    return `文件太大，最多 ${readableSize(Number(input.dataset.maxBytes))}`;
  }
  return "";
}

document.addEventListener("change", (event) => {
  const input = event.target;
  if (!input.matches(".drop__input")) {
    return;
  }
  const output = input.closest(".drop").querySelector(".drop__file");
  const file = input.files[0];
  const complaint = file ? complaintAbout(file, input) : "";
  input.setCustomValidity(complaint);
  if (!file) {
    output.textContent = "";
  } else {
    output.textContent = file.name + (complaint ? `：${complaint}` : `（${readableSize(file.size)}）`);
  }
  output.classList.toggle("drop__file--bad", complaint !== "");
});

for (const [name, isOver] of [["dragenter", true], ["dragleave", false], ["drop", false]]) {
  document.addEventListener(name, (event) => {
    if (event.target.matches && event.target.matches(".drop__input")) {
      event.target.closest(".drop").classList.toggle("is-over", isOver);
    }
  });
}

// One box that checks all others of a name.
document.addEventListener("change", (event) => {
  const name = event.target.dataset.checks;
  if (name) {
    for (const box of document.querySelectorAll(`input[name="${name}"]`)) {
      box.checked = event.target.checked;
    }
  }
});

// On a phone the menu is one line, wider than the screen: it begins at the page one is on.
const currentPage = document.querySelector(".nav [aria-current]");
if (currentPage) {
  const nav = currentPage.closest(".nav");
  const left = currentPage.getBoundingClientRect().left - nav.getBoundingClientRect().left;
  nav.scrollLeft += left - (nav.clientWidth - currentPage.offsetWidth) / 2;
}

// htmx goes on polling by itself; people only need to know why nothing moves.
function tellPoll(event, text) {
  const status = event.target.querySelector && event.target.querySelector("[data-poll-status]");
  if (status) {
    status.textContent = text;
  }
}

document.addEventListener("htmx:sendError", (event) => {
  tellPoll(event, "网络不通，正在重试…");
});

document.addEventListener("htmx:responseError", (event) => {
  tellPoll(event, "暂时没有回应，正在重试…");
});

// Browsers slow the timers of a hidden tab. Who scanned and comes back should not wait for them.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && window.htmx) {
    for (const poll of document.querySelectorAll("[data-poll]")) {
      window.htmx.trigger(poll, "poll-now");
    }
  }
});
