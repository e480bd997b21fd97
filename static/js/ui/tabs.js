// Tabs whose choice is in the address.
import { useUrlQuery } from "../lib/data.js";
import { html, useRef } from "../lib/html.js";

/** `tabs`: [key, word] pairs. Returns [present key, the tab list]; the panel takes `tabPanel(key)`. */
export function useTabs(tabs, label) {
  const [query, setQuery] = useUrlQuery();
  const bar = useRef(null);
  const now = tabs.some(([key]) => key === query.tab) ? query.tab : tabs[0][0];
  // What a list of one tab keeps in the address means nothing to another tab's.
  const others = () => Object.fromEntries(Object.keys(query).map((name) => [name, ""]));
  const choose = (key) => setQuery({ ...others(), tab: key === tabs[0][0] ? "" : key }, { push: true });
  const keys = (event) => {
    const present = tabs.findIndex(([key]) => key === now);
    const go = { ArrowRight: present + 1, ArrowLeft: present - 1 + tabs.length, Home: 0, End: tabs.length - 1 }[event.key];
    if (go === undefined) return;
    event.preventDefault();
    const at = go % tabs.length;
    choose(tabs[at][0]);
    bar.current.querySelectorAll("[role=tab]")[at].focus();
  };
  return [now, html`<div class="tabs" role="tablist" aria-label=${label} ref=${bar} onKeyDown=${keys}>
    ${tabs.map(([key, word]) => html`<button key=${key} type="button" class="tab" role="tab" id=${`tab-${key}`}
      aria-selected=${key === now ? "true" : "false"} aria-controls=${`panel-${key}`} tabIndex=${key === now ? 0 : -1}
      onClick=${() => choose(key)}>${word}</button>`)}</div>`];
}

export const tabPanel = (key) => ({ role: "tabpanel", id: `panel-${key}`, "aria-labelledby": `tab-${key}`, tabIndex: -1 });
