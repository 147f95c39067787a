"use strict";

/* What the phone and the desktop both build with. */

const $ = (id) => document.getElementById(id);

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

const ICONS = {
  chats: "M4 5h16v11H11l-4 4v-4H4z",
  scan: "M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M3 12h18",
  me: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 20c1-4 4-6 8-6s7 2 8 6",
  keyboard: "M3 6h18v12H3zM7 10h.1M12 10h.1M17 10h.1M8 14h8",
  menu: "M5 7h14M5 12h14M5 17h14",
};

async function ask(path, options) {
  const response = await fetch(path, options);
  if (response.ok) return response.json();
  const problem = await response.json().catch(() => ({}));
  throw new Error(problem.error || "没有成功，请再试一次");
}

const tell = (path, body) => ask(path, { method: "POST", body: JSON.stringify(body) });

let toastTimer = 0;
function toast(sentence) {
  $("toast").textContent = sentence;
  $("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => ($("toast").hidden = true), 2600);
}

async function trying(work) {
  try {
    return await work();
  } catch (error) {
    toast(error.message);
    return null;
  }
}

function shortTime(text) {
  if (!text) return "";
  const at = new Date(text);
  const clock = at.toLocaleTimeString("zh-CN", { hour: "2-digit", minute: "2-digit", hour12: false });
  const isToday = at.toDateString() === new Date().toDateString();
  return isToday ? clock : `${at.getMonth() + 1}月${at.getDate()}日`;
}

function longTime(text) {
  const at = new Date(text);
  const clock = at.toLocaleTimeString("zh-CN", { hour: "2-digit", minute: "2-digit", hour12: false });
  return at.toDateString() === new Date().toDateString() ? clock : `${shortTime(text)} ${clock}`;
}

function avatar(name, isAccount) {
  const number = [...name].reduce((sum, char) => sum + char.codePointAt(0), 0) % 6;
  const look = isAccount ? "avatar avatar-account" : `avatar avatar-${number}`;
  return el("span", { class: look, "aria-hidden": "true" }, name.slice(0, 1));
}

function badge(count) {
  return count ? el("span", { class: "badge" }, count > 99 ? "99+" : String(count)) : null;
}
