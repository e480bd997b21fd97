// Hosts: whether they answer, what they can do, how full they are.
import { html } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Ago, State, TypeMark } from "../ui/basic.js";
import { Fill, LOOK_EVERY_MS, hostStatus } from "../ui/hosts.js";
import { List } from "../ui/list.js";
import { PageHead, mount } from "../ui/page.js";
import { mib, gib, number } from "../lib/format.js";

const columns = [
  { key: "name", title: _("Name"), sort: "name", class: "cell-name", cell: (host) => html`<span class="two-lines"><a href=${`/hosts/${host.id}`}>${host.name}</a><small>${host.location}</small></span>` },
  { key: "state", title: _("State"), class: "cell-state", cell: (host) => html`<${State} ...${hostStatus(host)} />` },
  { key: "types", title: _("Runs"), class: "cell-minor", cell: (host) => html`<span class="row-line">${host.host_types.map((type) => html`<${TypeMark} type=${type} />`)}
    ${host.emulated && html`<span class="badge badge-warning" title=${_("No hardware virtualization here: full machines are emulated.")}>${_("emulated: slow")}</span>`}</span>` },
  { key: "cpu", title: _("vCPUs sold"), class: "cell-fill", label: true, cell: (host) => html`<${Fill} room=${host.capacity.vcpus} show=${number} />` },
  { key: "memory", title: _("Memory sold"), class: "cell-fill", label: true, cell: (host) => html`<${Fill} room=${host.capacity.memory_mib} show=${mib} />` },
  { key: "disk", title: _("Disk sold"), class: "cell-fill cell-minor", cell: (host) => html`<${Fill} room=${host.capacity.disk_gib} show=${gib} />` },
  { key: "load", title: _("CPU now"), class: "cell-num cell-minor", cell: (host) => (host.load.cpu_percent === null ? "–" : `${number(host.load.cpu_percent)} %`) },
  { key: "seen", title: _("Last seen"), class: "cell-minor", cell: (host) => html`<${Ago} at=${host.last_seen_at} none=${_("never")} />` },
];

const filters = [
  { param: "state", label: _("State"), options: [["active", _("Active")], ["enrolling", _("Enrolling")], ["maintenance", _("Maintenance")], ["retired", _("Retired")]] },
  { param: "host_type", label: _("Runs"), options: [["kvm", "KVM"], ["xen", "Xen"], ["lxc", "LXC"]] },
];

mount(() => html`<${PageHead} title=${_("Hosts")} />
  <${List} endpoint="/hosts" caption=${_("Hosts")} columns=${columns} filters=${filters} search=${_("Name or address")} sort="name" href=${(host) => `/hosts/${host.id}`}
    when=${(message) => message.type === "host"} every=${LOOK_EVERY_MS} empty=${{ text: _("No host yet. Set-up enrols the machine it runs on as the first one.") }} />`);
