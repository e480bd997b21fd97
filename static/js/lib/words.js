// Words for what the API says in codes.
import { boot } from "./boot.js";
import { _ } from "./i18n.js";

const LOOKS = {
  running: "running", active: "running", ready: "running", success: "running", accepted: "running",
  off: "off", shutoff: "off", stopped: "off", archived: "off", retired: "off", cancelled: "off", terminated: "off",
  deleted: "off", queued: "off", maintenance: "unknown", paused: "unknown", unknown: "unknown", stale: "unknown",
  error: "failed", failed: "failed", crashed: "failed", unreachable: "failed", refused: "failed", suspended: "suspended",
};

/** The look of a status: running, off, working, unknown, failed or suspended. What is not known is at work. */
export const lookOf = (status) => LOOKS[status] || "working";

const STATUS_WORDS = {
  running: () => _("Running"), off: () => _("Off"), shutoff: () => _("Off"), stopped: () => _("Off"),
  paused: () => _("Paused"), crashed: () => _("Crashed"), unknown: () => _("Unknown"), error: () => _("Failed"),
  failed: () => _("Failed"), suspended: () => _("Suspended"), provisioning: () => _("Being built"),
  creating: () => _("Being built"), deleting: () => _("Being deleted"), deleted: () => _("Deleted"),
  starting: () => _("Starting"), stopping: () => _("Powering off"), "shutting-down": () => _("Shutting down"),
  rebooting: () => _("Rebooting"), rebuilding: () => _("Being rebuilt"), resizing: () => _("Being resized"),
  "resetting-password": () => _("Getting a new password"),
  queued: () => _("Waiting"), success: () => _("Done"), cancelled: () => _("Cancelled"), active: () => _("Active"),
  enrolling: () => _("Enrolling"), maintenance: () => _("Maintenance"), retired: () => _("Retired"),
  building: () => _("Being built"), ready: () => _("Ready"), archived: () => _("Archived"), working: () => _("Working"),
  unreachable: () => _("Not seen"), accepted: () => _("Accepted"), refused: () => _("Refused"),
  terminated: () => _("Terminated"),
};

export const statusWord = (status) =>
  STATUS_WORDS[status]?.() || String(status || "").replace(/[-_]/g, " ").replace(/^./, (c) => c.toUpperCase());

/** "server" to customers, "guest" to staff. */
export const thing = () => (boot.staff ? _("guest") : _("server"));

export const jobStatusWord = (status) => (status === "running" ? _("Running") : statusWord(status));

const ACTION_WORDS = {
  "guest.create": () => _("Create %(thing)s", { thing: thing() }),
  "guest.start": () => _("Start %(thing)s", { thing: thing() }),
  "guest.shutdown": () => _("Shut down %(thing)s", { thing: thing() }),
  "guest.stop": () => _("Power off %(thing)s", { thing: thing() }),
  "guest.reboot": () => _("Reboot %(thing)s", { thing: thing() }),
  "guest.reset": () => _("Reset %(thing)s", { thing: thing() }),
  "guest.reset-root-password": () => _("Reset root password"),
  "guest.rebuild": () => _("Rebuild %(thing)s", { thing: thing() }),
  "guest.resize": () => _("Resize %(thing)s", { thing: thing() }),
  "guest.suspend": () => _("Suspend %(thing)s", { thing: thing() }),
  "guest.unsuspend": () => _("Lift suspension"),
  "guest.delete": () => _("Delete %(thing)s", { thing: thing() }),
  "guests.start": () => (boot.staff ? _("Start guests") : _("Start servers")),
  "guests.shutdown": () => (boot.staff ? _("Shut down guests") : _("Shut down servers")),
  "guests.stop": () => (boot.staff ? _("Power off guests") : _("Power off servers")),
  "guests.reboot": () => (boot.staff ? _("Reboot guests") : _("Reboot servers")),
  "guests.reset": () => (boot.staff ? _("Reset guests") : _("Reset servers")),
  "guest.scrub-seed": () => _("Remove first-boot secrets"),
  "guest.repair": () => _("Repair %(thing)s", { thing: thing() }),
  "guest.adopt": () => _("Take over %(thing)s", { thing: thing() }),
  "volume.release": () => _("Delete volume without owner"),
  "host.check": () => _("Check host"),
  "image.build": () => _("Build image"), "image.copy": () => _("Copy image"),
};

const FLEET_ACTIONS = ["guest.scrub-seed", "guest.repair", "guest.adopt"];
/** The actions that the reader's lists of jobs have. */
export const ACTIONS = Object.keys(ACTION_WORDS).filter((action) => boot.staff || (/^guests?\./.test(action) && !FLEET_ACTIONS.includes(action)));

/** What the panel does for itself: nothing that anybody asked for or waits for. */
export const isHousekeeping = (job) => job.action === "guest.scrub-seed";

/** "guest.reboot" as people say it. */
export const actionWord = (action) =>
  ACTION_WORDS[action]?.() || String(action).replace(/^\w+\./, (kind) => `${kind.slice(0, -1)}: `).replace(/-/g, " ")
    .replace(/^./, (c) => c.toUpperCase());

export const TYPE_SENTENCES = {
  kvm: () => _("KVM: a full virtual machine with its own kernel. Strongest isolation; can run any system."),
  xen: () => _("Xen: a virtual machine on the Xen hypervisor, with its own kernel."),
  lxc: () => _("Container: shares the host's kernel. Starts in seconds and wastes nothing; cannot change its kernel."),
};
export const TYPE_NAMES = { kvm: "KVM", xen: "Xen", lxc: "LXC" };
