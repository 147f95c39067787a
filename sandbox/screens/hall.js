"use strict";

const $ = (id) => document.getElementById(id);
const SECONDS = 60;
const perSecond = new Array(SECONDS).fill(0);
let acceptedBefore = null;
let acceptedNow = 0;

for (let number = 0; number < SECONDS; number += 1) $("bars").append(document.createElement("i"));

const whole = (number) => number.toLocaleString("zh-CN");

function show(figures) {
  acceptedNow = figures.messages.accepted;
  for (const [name, value] of Object.entries({ ...figures.callbacks, ...figures.messages, followers: figures.followers })) {
    if ($(name)) $(name).textContent = whole(value);
  }
  $("nothing").hidden = figures.latest.length > 0;
  $("latest").replaceChildren(...figures.latest.map(line));
}

function line(message) {
  const row = document.createElement("a");
  row.href = "/?" + new URLSearchParams({ person: message.person_id });
  const at = new Date(message.at).toLocaleTimeString("zh-CN", { hour12: false });
  for (const [text, look] of [[at, "faint"], [message.person, ""], [message.title, ""], [message.account, "faint"]]) {
    const cell = document.createElement("span");
    cell.textContent = text;
    cell.className = look;
    row.append(cell);
  }
  const item = document.createElement("li");
  item.append(row);
  return item;
}

/* One bar a second, whether or not something happened. */
function tick() {
  // After a reset the counter begins anew; that is no negative rate.
  const rate = acceptedBefore === null ? 0 : Math.max(0, acceptedNow - acceptedBefore);
  acceptedBefore = acceptedNow;
  perSecond.push(rate);
  perSecond.shift();
  $("rate").textContent = whole(rate);
  const highest = Math.max(...perSecond, 1);
  [...$("bars").children].forEach((bar, number) => {
    bar.style.height = `${(perSecond[number] / highest) * 100}%`;
  });
}

new EventSource("/hall/live").addEventListener("message", (event) => show(JSON.parse(event.data)));
setInterval(tick, 1000);
