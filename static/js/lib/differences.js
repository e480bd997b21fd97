// Words for what the panel, its hosts and billing do not agree on.
import { bytes, mib } from "./format.js";
import { _, plural } from "./i18n.js";

const KINDS = {
  "domain-without-guest": () => _("Domain without guest"),
  "guest-without-domain": () => _("Guest without domain"),
  "wrong-size": () => _("Wrong size"),
  "wrong-network": () => _("Wrong network"),
  "filter-missing": () => _("Address rules missing"),
  "configuration-changed": () => _("Configuration changed by hand"),
  "volume-without-owner": () => _("Volume without owner"),
  "volume-missing": () => _("Volume missing"),
  "address-not-allocated": () => _("Address in use but not allocated"),
  "address-without-guest": () => _("Address allocated without guest"),
  "total-wrong": () => _("Total not equal to the sum"),
  "subscription-without-guest": () => _("Subscription without guest"),
  "guest-of-ended-subscription": () => _("Guest of an ended subscription"),
  "automatic-stopped": () => _("Automatic actions have stopped"),
  "pool-lost-volumes": () => _("Storage pool has none of its volumes"),
  "host-lost-guests": () => _("Host knows none of its guests"),
};
export const KIND_OPTIONS = Object.entries(KINDS).map(([kind, word]) => [kind, word()]);
export const kindWord = (kind) => KINDS[kind]?.() || kind;

export const SEVERITY_WORDS = { high: _("High"), medium: _("Medium"), low: _("Low") };
const RANK = { high: 0, medium: 1, low: 2 };
export const severityLook = (row) => ({ high: "failed", medium: "unknown", low: "off" })[row.severity];
export const worstFirst = (rows) => [...rows].sort((one, other) => RANK[one.severity] - RANK[other.severity]);

export const vcpus = (count) => plural("%(count)s vCPU", "%(count)s vCPUs", count);
const sized = (size) => [size.vcpus && vcpus(size.vcpus), size.memory_mib && _("%(size)s memory", { size: mib(size.memory_mib) }), size.disk_bytes && _("%(size)s disk", { size: bytes(size.disk_bytes) })].filter(Boolean).join(", ");
const COUNTED = {
  used_guests: () => _("guests"), used_vcpus: () => _("vCPUs"), used_memory_mib: () => _("MiB of memory"), used_addresses: () => _("IPv4 addresses"),
  used_disk_gib: () => _("GiB of disk"), used_gib: () => _("GiB of storage"),
};
const totals = (values) => Object.entries(values).map(([name, value]) => `${value} ${COUNTED[name]?.() || name}`).join(", ");
const nicsOf = (nics) => Object.entries(nics).map(([mac, nic]) => `${mac} ${nic.bridge} ${nic.addresses.join(" ")}`).join("; ");

const STOPPED = {
  repair: (count) => plural("%(count)s repair", "%(count)s repairs", count),
  suspend: (count) => plural("%(count)s stop of a suspended guest", "%(count)s stops of suspended guests", count),
  delete: (count) => plural("%(count)s deletion tried anew", "%(count)s deletions tried anew", count),
};
/** What the limiter keeps from being done, with some of the guests' names. */
function stopped(expected, { waiting, names = [], ...counts }) {
  const kinds = Object.keys(STOPPED).filter((kind) => counts[kind]).map((kind) => STOPPED[kind](counts[kind])).join(", ");
  const told = [...names, waiting > names.length && "…"].filter(Boolean).join(", ");
  return [_("Waiting: %(kinds)s (%(names)s).", { kinds, names: told }), plural("By itself the panel touches at most %(count)s guest in %(minutes)s minutes.", "By itself the panel touches at most %(count)s guests in %(minutes)s minutes.", expected.at_most, { minutes: expected.minutes })].join(" ");
}

const CHANGES = { added: (part) => _("%(part)s added", { part }), removed: (part) => _("%(part)s removed", { part }), changed: (part) => _("%(part)s changed", { part }) };
/** What of a guest's configuration is not as the panel writes it; the parts' names are libvirt's. */
function configuration({ changes = [], more = 0 }) {
  const parts = [...changes.map(({ part, change }) => CHANGES[change](part)), more > 0 && plural("%(count)s more", "%(count)s more", more)].filter(Boolean).join(", ");
  return parts ? _("Not what the panel would write: %(parts)s.", { parts }) : _("Its configuration on the host is not what the panel would write.");
}

/** What is and what should be, in one line. */
export function summary({ kind, expected, found }) {
  const said = (is, should) => _("Has %(is)s; should have %(should)s", { is, should });
  switch (kind) {
    case "domain-without-guest": return [found.running ? _("Running") : _("Off"), sized(found), found.user_namespace === false && _("without a user namespace")].filter(Boolean).join(", ");
    case "guest-without-domain": return _("The host does not list it any more.");
    case "wrong-size": return said(sized(found), sized(expected));
    case "wrong-network": return found.without_filter?.length ? _("May send from any address: %(macs)s", { macs: found.without_filter.join(", ") }) : said(nicsOf(found.nics), nicsOf(expected.nics));
    case "filter-missing": return _("It runs, and the rules of %(macs)s are not in force.", { macs: found.unguarded.join(", ") });
    case "configuration-changed": return found.persistent === false ? _("It runs, and its host has no configuration of it any more: it would be gone when it is switched off.") : configuration(found);
    case "volume-without-owner": return [_("In storage pool %(pool)s, %(size)s", { pool: found.pool, size: bytes(found.capacity_bytes) }), found.overlay && _("%(name)s is an overlay of it.", { name: found.overlay })].filter(Boolean).join(". ");
    case "volume-missing": return _("Its file is not in storage pool %(pool)s any more.", { pool: expected.pool });
    case "address-not-allocated": return expected.owner ? _("%(domain)s uses it, and it is another guest’s.", { domain: found.domain }) : _("%(domain)s uses it, and it is free in the panel.", { domain: found.domain });
    case "address-without-guest": return _("Network %(network)s; its guest is gone.", { network: found.network });
    case "total-wrong": return _("The panel counts %(is)s; the sum is %(should)s", { is: totals(found), should: totals(expected) });
    case "subscription-without-guest": return _("It is paid for, and there is no server.");
    case "guest-of-ended-subscription": return _("Nobody pays for it any more.");
    case "pool-lost-volumes": return _("Nothing is in %(path)s, where %(count)s volumes should be: is the file system mounted?", { path: found.path, count: expected.volumes });
    case "host-lost-guests": return found.restarted ? _("The host’s libvirt knows none of its %(count)s guests. It has started anew since they were seen.", { count: expected.guests }) : _("The host’s libvirt knows none of its %(count)s guests.", { count: expected.guests });
    case "automatic-stopped": return stopped(expected, found);
    default: return "";
  }
}
