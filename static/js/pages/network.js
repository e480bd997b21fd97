// One network and its addresses.
import { remove } from "../lib/api.js";
import { may, pageData } from "../lib/boot.js";
import { useResource } from "../lib/data.js";
import { number } from "../lib/format.js";
import { html, useEffect, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Ago, Card, Copy, Facts, Icon, Meter, State } from "../ui/basic.js";
import { Confirm } from "../ui/dialog.js";
import { List } from "../ui/list.js";
import { Menu } from "../ui/menu.js";
import { KINDS, NetworkForm } from "../ui/networks.js";
import { PageHead, Stale, Waiting, mount, setTitle } from "../ui/page.js";

const id = pageData.ids.id;
const crumbs = [["/networks", _("Networks")]];
const columns = [
  { key: "address", title: _("Address"), sort: "address", class: "cell-name", cell: (row) => html`<${Copy} value=${row.address} />` },
  { key: "state", title: _("State"), class: "cell-state", cell: (row) => html`<${State} status=${row.guest ? "running" : "off"} word=${row.guest ? _("Taken") : _("Free")} />` },
  { key: "guest", title: _("Guest"), cell: (row) => (row.guest ? html`<a href=${`/guests/${row.guest}`}>${row.guest_name || _("Open guest")}</a>` : html`<span class="muted none">–</span>`) },
  { key: "since", title: _("Since"), class: "cell-minor", cell: (row) => html`<${Ago} at=${row.taken_at} />` },
];

function Network() {
  const resource = useResource(`/networks/${id}`, null, { when: (message) => message.type === "network" && message.id === id });
  const [dialog, setDialog] = useState("");
  const network = resource.data;
  useEffect(() => { if (network) setTitle(network.name); }, [network?.name]);
  if (!network) return html`<${PageHead} title=${_("Network")} crumbs=${crumbs} /><${Waiting} resource=${resource} back=${["/networks", _("All networks")]} missing=${_("There is no such network.")} />`;
  const close = () => setDialog("");
  return html`<${PageHead} title=${network.name} crumbs=${crumbs} sub=${KINDS[network.kind]()}>
      ${may("fleet.manage") && html`<button class="btn" onClick=${() => setDialog("edit")}><${Icon} name="edit" />${_("Edit network")}</button>
        <${Menu} label=${_("More")} button=${html`<${Icon} name="dots" />`} items=${[{ text: _("Delete network"), icon: "trash", danger: true, note: _("Refused while a guest uses it."), onSelect: () => setDialog("delete") }]} />`}<//>
    <${Stale} resource=${resource} /><div class="columns columns-wide-left facts-first"><div>
      <${List} endpoint="/addresses" fixed=${{ network: id }} caption=${_("Addresses")} columns=${columns} sort="address" search=${_("Address or subnet")} href=${undefined}
        filters=${[{ param: "taken", label: _("State"), options: [["true", _("Taken")], ["false", _("Free")]] }, { param: "family", label: _("Family"), options: [["4", "IPv4"], ["6", "IPv6"]] }]}
        when=${(message) => message.type === "network" && message.id === id} empty=${{ text: _("This network has no address.") }} /></div>
      <div class="stack"><${Card} title=${_("Use")} id="use"><${Meter} label=${_("IPv4 taken")} used=${network.addresses_v4_taken} limit=${network.addresses_v4_taken + network.addresses_v4_free} />
        <p class="field-hint">${_("IPv6 taken: %(n)s", { n: number(network.addresses_v6_taken) })}</p><//>
      <${Card} title=${_("Facts")} id="facts"><${Facts} rows=${[
        [_("State"), html`<${State} status=${network.enabled ? "active" : "off"} word=${network.enabled ? _("Given to new guests") : _("Closed to new guests")} />`],
        network.cidr_v4 && [_("IPv4"), html`<${Copy} value=${network.cidr_v4} />`], network.gateway_v4 && [_("Gateway"), html`<${Copy} value=${network.gateway_v4} />`],
        network.cidr_v6 && [_("IPv6"), html`<${Copy} value=${network.cidr_v6} />`], network.gateway_v6 && [_("Gateway, IPv6"), html`<${Copy} value=${network.gateway_v6} />`],
        [_("DNS servers"), network.dns_servers.length ? html`<span class="mono">${network.dns_servers.join(" ")}</span>` : "–"],
        [_("Bridge"), html`<code>${network.bridge}</code>`], [_("MTU"), number(network.mtu)],
        [_("Reached by"), network.hosts.length ? network.hosts.map((host, index) => html`${index > 0 && ", "}<a class="nowrap" href=${`/hosts/${host.id}`}>${host.name}</a>`) : "–"]]} /><//></div>
    </div>
    ${dialog === "edit" && html`<${NetworkForm} network=${network} onClose=${close} onDone=${resource.mutate} />`}
    ${dialog === "delete" && html`<${Confirm} title=${_("Delete %(name)s", { name: network.name })} submit=${_("Delete network")} typed=${network.name} onClose=${close}
      onConfirm=${async () => { await remove(`/networks/${id}`, { etag: `"${network.version}"` }); location.assign("/networks"); }}><p>${_("Its addresses are forgotten. Refused while a guest uses it.")}</p><//>`}`;
}

mount(Network);
