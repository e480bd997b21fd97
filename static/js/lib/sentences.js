// What the server says in English sentences, in the reader's language and words: titles of steps, why not, what is up.
import { boot } from "./boot.js";
import { _ } from "./i18n.js";
import { thing } from "./words.js";

/** Titles of steps, as the operations name them. */
const STEPS = {
  "Fetch the image": () => _("Fetch the image"), "Make the disk": () => _("Make the disk"),
  "Write name, keys and network": () => _("Write name, keys and network"),
  "Set up the server": () => _("Set up the %(thing)s", { thing: thing() }), "Start it": () => _("Start it"),
  "Remove the old disk": () => _("Remove the old disk"), "Grow the disk": () => _("Grow the disk"),
  "Set the new size": () => _("Set the new size"), "Hand the new password over": () => _("Hand the new password over"),
  "Restart it": () => _("Restart it"), "Take the password's hash out of the seed": () => _("Take the password’s hash out of the seed"),
  "Check its configuration": () => _("Check its configuration"), "Ask it to power off": () => _("Ask it to power off"),
  "Cut the power": () => _("Cut the power"), "Ask it to restart": () => _("Ask it to restart"),
  "Restart it at once": () => _("Restart it at once"), "Stop it": () => _("Stop it"),
  "Remove the server": () => _("Remove the %(thing)s", { thing: thing() }), "Delete its disks": () => _("Delete its disks"),
  "Build the image": () => _("Build the image"), "Record the files": () => _("Record the files"),
  "Copy the image to the host": () => _("Copy the image to the host"), "Ask the hypervisors": () => _("Ask the hypervisors"),
  "Prepare storage": () => _("Prepare storage"), "Compare it with the panel": () => _("Compare it with the panel"),
  "Make sure that it is as it was found": () => _("Make sure that it is as it was found"),
  "Make its disks' directories known": () => _("Make its disks’ directories known"),
  "Take it over, and guard its addresses": () => _("Take it over, and guard its addresses"),
  "Make sure that nobody uses it": () => _("Make sure that nobody uses it"), "Delete it": () => _("Delete it"),
  "Look for its disks": () => _("Look for its disks"), "Set its configuration": () => _("Set its configuration"),
  "Load its address rules": () => _("Load its address rules"), "Start it if it was gone": () => _("Start it if it was gone"),
};

/** Sentences about the state that a guest is in. */
const SENTENCES = {
  "The server is being deleted.": () => _("The %(thing)s is being deleted.", { thing: thing() }),
  "The server and its disk are being deleted.": () => _("The %(thing)s and its disk are being deleted.", { thing: thing() }),
  "The server is suspended.": () => _("The %(thing)s is suspended.", { thing: thing() }),
  "The server has been deleted.": () => _("The %(thing)s has been deleted.", { thing: thing() }),
  "The server has been built since. Rebuild it instead.": () => _("The %(thing)s has been built since. Rebuild it instead.", { thing: thing() }),
  "None of the servers whose job failed can do this now.": () => (boot.staff ? _("None of the guests whose job failed can do this now.") : _("None of the servers whose job failed can do this now.")),
  "Nothing keeps the password: ask for a new one at the server.": () => _("Nothing keeps the password: ask for a new one on the page of the %(thing)s.", { thing: thing() }),
  "The server could not be built.": () => _("The %(thing)s could not be built.", { thing: thing() }),
  "The server's system has crashed.": () => _("The system of the %(thing)s has crashed.", { thing: thing() }),
  "It should run: it powered off from inside, was stopped on its host, or could not be started.": () => _("It should run: it powered off from inside, was stopped on its host, or could not be started."),
};

const NOT_WHILE = /^This cannot be done while the server is ([a-z]+)\.$/;
const STATES = {
  running: () => _("Not possible while the %(thing)s is running.", { thing: thing() }), off: () => _("Not possible while the %(thing)s is off.", { thing: thing() }),
  paused: () => _("Not possible while the %(thing)s is paused.", { thing: thing() }), crashed: () => _("Not possible after the %(thing)s has crashed.", { thing: thing() }),
  provisioning: () => _("Not possible while the %(thing)s is being built.", { thing: thing() }), failed: () => _("The %(thing)s could not be built: delete it and create another.", { thing: thing() }),
  active: () => _("Not possible for a %(thing)s that works.", { thing: thing() }), deleting: () => _("The %(thing)s is being deleted.", { thing: thing() }),
  deleted: () => _("The %(thing)s is deleted.", { thing: thing() }),
};

const SEEN = /; last seen .+\.$/;
const UNSEEN = {
  "The host answers and does not have it": () => _("Its host answers, and does not have it."),
  "The host does not answer for it": () => _("Its host does not answer."), "The panel has not looked at it lately": () => _("The panel has not looked at it lately."),
};

/** True for one that is not on its host any more, as far as that says. */
export const isGone = (guest) => guest.status_reason.startsWith("The host answers and does not have it");

/** Why it is not known whether a guest runs; the time is left to the page, by the reader's clock. */
export function unknownWhy(guest) {
  return guest.observed_at && UNSEEN[guest.status_reason.replace(SEEN, "")]?.() || said(guest.status_reason);
}

export const stepWord = (title) => STEPS[title]?.() || _(title);

/** A sentence of the server's; one that is not known here stays as it is. */
export function said(text) {
  if (!text) return "";
  const state = text.match(NOT_WHILE)?.[1];
  return STATES[state]?.() || SENTENCES[text]?.() || _(text);
}
