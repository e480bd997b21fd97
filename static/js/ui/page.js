// What every page begins and ends with.
import { html, render } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Card, Empty, Icon, ProblemNotice } from "./basic.js";

/** Fill the page; the skeleton that the server sent goes in the same moment. */
export function mount(component) {
  const root = document.getElementById("page");
  root.textContent = "";
  render(html`<${component} />`, root);
}

export const setTitle = (text) => { document.title = `${text} · Innkeeper`; };

export const PageHead = ({ title, sub, children, crumbs }) => html`
  ${crumbs && html`<nav class="crumbs" aria-label=${_("Where you are")}>${crumbs.map(([href, text]) => html`<a href=${href}><${Icon} name="arrow-left" small />${text}</a>`)}</nav>`}
  <div class="page-head"><div><h1>${title}</h1>${sub && html`<p class="page-sub">${sub}</p>`}</div>
    ${children && html`<div class="page-actions">${children}</div>`}</div>`;

/** Says that what stands here could not be brought up to date. */
export const Stale = ({ resource }) => (resource.data && resource.problem && resource.problem.status !== 401
  ? html`<div class="page-notice"><${ProblemNotice} problem=${resource.problem} retry=${resource.reload} /></div>` : null);

/** Until an object has come: its skeleton, or why there is none. */
export function Waiting({ resource, back, missing }) {
  if (resource.problem?.status === 404) {
    return html`<${Card}><${Empty} action=${html`<a class="btn" href=${back[0]}>${back[1]}</a>`}>${missing}<//><//>`;
  }
  if (resource.problem) return html`<${ProblemNotice} problem=${resource.problem} retry=${resource.reload} />`;
  return html`<div class="skeleton-detail" aria-busy="true">${[4, 3].map((lines) => html`<div class="card skeleton-card">
    ${Array.from({ length: lines }, () => html`<span class="skeleton"></span>`)}</div>`)}</div>`;
}
