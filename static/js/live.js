// Keeps a page current. Without it every page works the same, as of when it was loaded.
//
//   every 5 s, while the page is looked at: fetch the live part with its ETag;
//   304 -> only "as of" moves; 200 -> the sections that differ are put in place
//
// What the viewer is doing stays: open details, the focus, a selection, a form half filled in.
"use strict";

const EVERY = 5000;
const SLOWEST = 60000;

const live = document.querySelector("[data-live]");
const asOf = document.querySelector("[data-as-of]");
let etag = null;
let failures = 0;

function ago(seconds) {
  const steps = [
    [31557600, "year"], [2629800, "month"], [86400, "day"],
    [3600, "hour"], [60, "minute"], [1, "second"],
  ];
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
  for (const [size, unit] of steps) {
    if (Math.abs(seconds) >= size || unit === "second") {
      return words.format(-Math.trunc(seconds / size), unit);
    }
  }
}

function tellTimes() {
  for (const time of document.querySelectorAll("time[title]")) {
    const at = new Date(time.dateTime);
    time.textContent = ago((Date.now() - at) / 1000);
    time.title = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
  }
}

function busy(section) {
  const selection = document.getSelection();
  return section.contains(document.activeElement) && document.activeElement !== document.body
    || (selection && !selection.isCollapsed && section.contains(selection.anchorNode))
    || section.querySelector(":hover [data-chart]") !== null && section.matches(":hover");
}

function keyOf(details) {
  const parent = details.closest("[id]");
  return (parent ? parent.id : "") + "|" + details.querySelector("summary").textContent;
}

function put(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  // A copy: each one that is put in place leaves the original collection.
  for (const section of [...fresh.body.children]) {
    const old = section.id && document.getElementById(section.id);
    if (!old || !live.contains(old) || busy(old)) continue;
    const open = new Set([...old.querySelectorAll("details[open]")].map(keyOf));
    for (const details of section.querySelectorAll("details")) {
      if (open.has(keyOf(details))) details.open = true;
    }
    if (!old.isEqualNode(section)) old.replaceWith(section);
  }
}

async function refresh() {
  try {
    const answer = await fetch(live.dataset.live, {
      headers: etag ? { "If-None-Match": etag } : {},
      cache: "no-store",
      redirect: "error",
    });
    if (answer.status === 200) {
      etag = answer.headers.get("ETag");
      put(await answer.text());
    } else if (answer.status !== 304) {
      throw new Error(String(answer.status));
    }
    failures = 0;
    say(null);
  } catch {
    failures += 1;
    say("not updated: the server doesn’t answer");
  }
  tellTimes();
}

function say(problem) {
  if (!asOf) return;
  asOf.classList.toggle("late", problem !== null);
  asOf.textContent = problem ?? "as of " + new Date().toLocaleTimeString();
}

function next() {
  const wait = Math.min(EVERY * 2 ** Math.min(failures, 5), SLOWEST);
  setTimeout(async () => {
    if (!document.hidden) await refresh();
    next();
  }, wait);
}

for (const field of document.querySelectorAll("[data-submit]")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}

document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

tellTimes();
document.documentElement.classList.add("scripted");
if (live && live.dataset.live) {
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  next();
}
