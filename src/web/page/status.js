"use strict";
(() => {
  const main = document.querySelector("main");
  const live = document.getElementById("live");
  const apart = (at) => {
    const ahead = at > Date.now();
    const s = Math.floor(Math.abs(at - Date.now()) / 1000);
    if (s === 0) return "just now";
    const [n, unit] = s < 60 ? [s, "s"] : s < 3600 ? [s / 60, "min"] : s < 86400 ? [s / 3600, "h"] : [s / 86400, "d"];
    return ahead ? `in ${Math.floor(n)} ${unit}` : `${Math.floor(n)} ${unit} ago`;
  };
  const count = () => {
    for (const time of document.querySelectorAll("time[data-at]")) time.textContent = apart(Number(time.dataset.at));
  };
  const same = (a, b) => {
    const plain = (part) => {
      const copy = part.cloneNode(true);
      for (const time of copy.querySelectorAll("time")) time.textContent = "";
      return copy.outerHTML;
    };
    return plain(a) === plain(b);
  };
  // Only what differs is replaced, so that what is selected or focused elsewhere stays.
  const show = (markup) => {
    const next = new DOMParser().parseFromString(`<main>${markup}</main>`, "text/html").querySelector("main");
    const state = () => main.querySelector(".state")?.textContent ?? "";
    const before = state();
    const ids = new Set([...next.children].map((part) => part.id));
    for (const part of [...main.children]) if (!ids.has(part.id)) part.remove();
    let at = null;
    for (const part of [...next.children]) {
      let old = document.getElementById(part.id);
      if (!old) {
        at ? at.after(part) : main.prepend(part);
        old = part;
      } else if (!same(old, part)) {
        old.replaceWith(part);
        old = part;
      }
      at = old;
    }
    count();
    if (state() !== before) {
      live.textContent = `now ${state().replace(/^\S+ /, "")}`;
      document.title = `${main.querySelector("h1").textContent} · ${state().replace(/^\S+ /, "")}`;
    }
  };
  let lost = false;
  const events = new EventSource("events");
  events.addEventListener("status", (event) => {
    if (lost) live.textContent = "";
    lost = false;
    show(JSON.parse(event.data));
  });
  events.addEventListener("error", () => {
    if (!lost) live.textContent = "the watcher does not answer; what is shown may be old";
    lost = true;
  });
  setInterval(count, 5000);
})();
