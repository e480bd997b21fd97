// Networks: the subnets that guests get addresses from.
import { may } from "../lib/boot.js";
import { number } from "../lib/format.js";
import { html, useState } from "../lib/html.js";
import { _, plural } from "../lib/i18n.js";
import { Copy, Icon, State } from "../ui/basic.js";
import { Fill } from "../ui/hosts.js";
import { List } from "../ui/list.js";
import { NetworkForm } from "../ui/networks.js";
import { PageHead, mount } from "../ui/page.js";

const columns = [
  { key: "name", title: _("Name"), sort: "name", class: "cell-name", cell: (network) => html`<span class="two-lines"><a href=${`/networks/${network.id}`}>${network.name}</a><small>${{ nat: _("NAT"), routed: _("Routed"), bridge: _("Bridge") }[network.kind]}</small></span>` },
  { key: "state", title: _("State"), class: "cell-state", cell: (network) => html`<${State} status=${network.enabled ? "active" : "off"} word=${network.enabled ? _("In use") : _("Closed")} />` },
  { key: "v4", title: _("IPv4"), label: true, cell: (network) => (network.cidr_v4 ? html`<${Copy} value=${network.cidr_v4} />` : html`<span class="muted none">–</span>`) },
  { key: "v6", title: _("IPv6"), class: "cell-minor", cell: (network) => (network.cidr_v6 ? html`<${Copy} value=${network.cidr_v6} />` : html`<span class="muted none">–</span>`) },
  { key: "fill", title: _("IPv4 taken"), label: true, cell: (network) => html`<${Fill} show=${number} room=${{ used: network.addresses_v4_taken, limit: network.addresses_v4_taken + network.addresses_v4_free }} />` },
  { key: "free", title: _("Free"), class: "cell-num cell-minor", cell: (network) => number(network.addresses_v4_free) },
  { key: "hosts", title: _("Reached by"), class: "cell-minor", cell: (network) => html`<span title=${network.hosts.map((host) => host.name).join(", ")}>${plural("%(count)s host", "%(count)s hosts", network.hosts.length)}</span>` },
];

function Networks() {
  const [making, setMaking] = useState(false);
  const create = may("fleet.manage") && html`<button class="btn btn-primary" onClick=${() => setMaking(true)}><${Icon} name="plus" />${_("Create network")}</button>`;
  return html`<${PageHead} title=${_("Networks")}>${create}<//>
    <${List} endpoint="/networks" caption=${_("Networks")} columns=${columns} sort="name" href=${(network) => `/networks/${network.id}`} when=${(message) => message.type === "network"}
      empty=${{ text: _("No network yet. Guests need one to get an address."), action: create }} />
    ${making && html`<${NetworkForm} onClose=${() => setMaking(false)} onDone=${(network) => location.assign(`/networks/${network.id}`)} />`}`;
}

mount(Networks);
