// Power: the words, what each does to data, and asking for it.
import { post } from "../lib/api.js";
import { boot } from "../lib/boot.js";
import { html } from "../lib/html.js";
import { _, plural } from "../lib/i18n.js";
import { said } from "../lib/sentences.js";
import { Confirm, openDialog } from "./dialog.js";
import { toast, toastProblem } from "./toast.js";

export const POWER = {
  start: { text: () => _("Start"), icon: "player-play", harmless: true, note: () => _("Powers on and boots from its disk.") },
  shutdown: { text: () => _("Shut down"), icon: "power", note: () => _("Asks the system to stop. Nothing is lost.") },
  reboot: { text: () => _("Reboot"), icon: "refresh", note: () => _("Asks the system to restart. Nothing is lost.") },
  stop: { text: () => _("Power off"), icon: "bolt", danger: true, note: () => _("Cuts the power. What is not yet on disk is lost.") },
  reset: { text: () => _("Reset"), icon: "rotate-clockwise", danger: true, note: () => _("Cuts and restores the power at once. What is not yet on disk is lost.") },
};
const AT_ONCE = 100; // guests that one request may name
const TOLD = 4; // refusals told in full

/**
 * Ask for a power action of one guest; `onDone` gets the answer {guest, job}. What loses data is asked about first;
 * with `sure` false (the guest was found by typing) everything that interrupts it.
 */
export async function runPower(guest, action, onDone, { sure = true } = {}) {
  const send = async () => {
    try {
      const answer = await post(`/guests/${guest.id}/actions/${action}`);
      toast(_("%(action)s: %(name)s", { action: POWER[action].text(), name: guest.name }));
      onDone?.(answer);
    } catch (problem) { toastProblem(problem); }
  };
  if (POWER[action].harmless || (sure && !POWER[action].danger)) return send();
  const about = [boot.staff && guest.customer_name, guest.addresses[0]?.address].filter(Boolean).join(" · ");
  return openDialog((close) => html`<${Confirm} title=${`${POWER[action].text()}: ${guest.name}`} submit=${POWER[action].text()} danger=${Boolean(POWER[action].danger)}
    onClose=${close} onConfirm=${async () => { close(); await send(); }}><p>${POWER[action].note()}</p>${about && html`<p class="muted">${about}</p>`}<//>`);
}

const manyWords = (action, count) => (boot.staff ? plural("%(action)s %(count)s guest", "%(action)s %(count)s guests", count, { action })
  : plural("%(action)s %(count)s server", "%(action)s %(count)s servers", count, { action }));

/** Ask for a power action of several guests, after a question. */
export function runPowerOfMany(guests, action, onDone) {
  const word = POWER[action].text();
  openDialog((close) => html`<${Confirm} title=${manyWords(word, guests.length)}
    submit=${word} danger=${Boolean(POWER[action].danger)} onClose=${close}
    onConfirm=${async () => { close(); await sendAll(guests, action, word); onDone?.(); }}>
    <p>${POWER[action].note()}</p><p class="muted">${guests.slice(0, 12).map((guest) => guest.name).join(", ")}${guests.length > 12 ? " …" : ""}</p><//>`);
}

async function sendAll(guests, action, word) {
  const refused = [];
  const jobs = [];
  for (const some of groups(guests)) {
    try {
      const answer = await post(`/guests/actions/${action}`, { guests: some.map((guest) => guest.id) });
      jobs.push(answer.job);
      refused.push(...answer.refused.map((one) => `${one.name}: ${said(one.message)}`));
    } catch (problem) { toastProblem(problem); }
  }
  if (jobs.length) {
    const count = jobs.reduce((sum, job) => sum + job.children.total, 0);
    toast(plural("%(action)s: %(count)s accepted", "%(action)s: %(count)s accepted", count, { action: word }),
      { link: { href: `/jobs/${jobs[0].id}`, text: _("Open job") } });
  }
  if (!refused.length) return;
  const total = plural("%(action)s: %(count)s refused.", "%(action)s: %(count)s refused.", refused.length, { action: word });
  const rest = refused.length > TOLD ? [_("And %(n)s more.", { n: refused.length - TOLD })] : [];
  toast([total, ...refused.slice(0, TOLD), ...rest].join(" "), { kind: "bad" });
}

/** What one request may name: staff any guests, customers those of one account; so many at most. */
function groups(guests) {
  const by = new Map();
  for (const guest of guests) {
    const key = boot.staff ? "" : guest.customer;
    by.set(key, [...(by.get(key) || []), guest]);
  }
  return [...by.values()].flatMap((all) => Array.from({ length: Math.ceil(all.length / AT_ONCE) }, (_none, n) => all.slice(n * AT_ONCE, (n + 1) * AT_ONCE)));
}

/** The Power menu's items for a guest, each with its consequence, or why it is not possible now. */
export const powerItems = (guest, onDone) => Object.entries(POWER).map(([action, words]) => {
  const support = guest.supports.find((entry) => entry.action === action);
  return { text: words.text(), icon: words.icon, note: words.note(), danger: words.danger, disabled: !support?.allowed,
    reason: said(support?.reason), onSelect: () => runPower(guest, action, onDone) };
});
