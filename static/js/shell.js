// The frame's live parts: running jobs, who is here, the banner of a cut stream, the palette.
import { get, post } from "./lib/api.js";
import { boot } from "./lib/boot.js";
import { onStatus, resync, startEvents } from "./lib/events.js";
import { html, render, useEffect, useLayoutEffect, useState } from "./lib/html.js";
import { _ } from "./lib/i18n.js";
import { becomeSomebodyElse, onSession } from "./lib/session.js";
import { watchTyping } from "./lib/typed.js";
import { Icon } from "./ui/basic.js";
import { toastProblem } from "./ui/toast.js";
import { RunningJobs } from "./shell/jobs.js";
import { Palette } from "./shell/palette.js";
import { PersonMenu } from "./shell/person.js";

const LOOK_MS = 10_000; // whether one has signed in again elsewhere
const byId = (id) => document.getElementById(id);

function useLive() {
  const [status, setStatus] = useState("connecting");
  useEffect(() => onStatus(setStatus), []);
  return status;
}

/** The session has ended or is another one: said here, because what is typed on the page stays. */
function SessionBanner({ state }) {
  useLayoutEffect(() => {
    if (state !== "signed-out") return undefined;
    const look = () => { if (!document.hidden) get("/me").then(resync).catch(() => {}); };
    const timer = setInterval(look, LOOK_MS);
    for (const type of ["visibilitychange", "focus"]) addEventListener(type, look, true);
    return () => { clearInterval(timer); for (const type of ["visibilitychange", "focus"]) removeEventListener(type, look, true); };
  }, [state]);
  const text = state === "signed-out" ? _("You are signed out. Sign in again in a new tab; what you typed here stays.")
    : _("Another tab of this browser is somebody else now. Nothing is sent from here until the page is loaded again.");
  return html`<div class="stale is-session"><${Icon} name="lock" small /><span class="grow">${text}</span>${state === "signed-out"
    ? html`<a class="btn btn-sm" href=${boot.login} target="_blank" rel="opener">${_("Sign in")}</a>`
    : html`<button type="button" class="btn btn-sm" onClick=${() => location.reload()}>${_("Load page again")}</button>`}</div>`;
}

function StaleBanner() {
  const [session, setSession] = useState("");
  useEffect(() => onSession(setSession), []);
  const live = useLive();
  if (session) return html`<${SessionBanner} state=${session} />`;
  if (live !== "stale") return null;
  return html`<div class="stale"><${Icon} name="alert-triangle" small />
    ${_("Live updates are interrupted. What you see may be a little old; it catches up by itself.")}</div>`;
}

function LivePill() {
  const status = useLive();
  if (status !== "live") return null;
  return html`<span class="live-pill" title=${_("Changes appear here by themselves.")}><span class="state-dot state-running"></span>${_("Live")}</span>`;
}

function wireRail() {
  const rail = byId("rail");
  const opener = document.querySelector("[data-open-rail]");
  const show = (open) => {
    rail.classList.toggle("is-open", open);
    opener.setAttribute("aria-expanded", String(open));
    if (open) rail.querySelector("a[aria-current], a")?.focus();
  };
  opener.addEventListener("click", () => show(true));
  document.querySelector("[data-close-rail]").addEventListener("click", () => show(false));
  rail.addEventListener("keydown", (event) => { if (event.key === "Escape") { show(false); opener.focus(); } });
  const fold = document.querySelector("[data-fold-rail]");
  const root = document.documentElement;
  fold.setAttribute("aria-expanded", String(root.dataset.rail !== "folded"));
  fold.addEventListener("click", () => {
    const folded = root.dataset.rail !== "folded";
    root.dataset.rail = folded ? "folded" : "";
    fold.setAttribute("aria-expanded", String(!folded));
    try { localStorage.setItem("innkeeper.rail", folded ? "folded" : ""); } catch { /* only for this page then */ }
  });
}

function wireActing() {
  document.querySelector("[data-stop-acting]")?.addEventListener("click", async (event) => {
    event.target.disabled = true;
    try {
      await becomeSomebodyElse(() => post("/me/actions/stop-acting"), `/customers/${boot.acting_for}`);
    } catch (problem) { event.target.disabled = false; toastProblem(problem); }
  });
}

const fill = (id, content) => { const root = byId(id); root.textContent = ""; render(content, root); };
const person = byId("person-menu").dataset;
fill("stale-banner", html`<${StaleBanner} />`);
fill("live-status", html`<${LivePill} />`);
fill("jobs-popover", html`<${RunningJobs} />`);
fill("person-menu", html`<${PersonMenu} name=${person.name} mail=${person.mail} />`);
render(html`<${Palette} />`, byId("palette-root"));
try { localStorage.setItem("innkeeper.theme", document.documentElement.dataset.theme); } catch { /* the server knows it */ }
wireRail();
wireActing();
watchTyping();
startEvents();
