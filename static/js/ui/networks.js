// The form of a network, new or changed.
import { post } from "../lib/api.js";
import { useResource } from "../lib/data.js";
import { changesOf, patchChanged } from "../lib/edit.js";
import { html, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { FormDialog } from "./dialog.js";
import { CheckField, NumberField, SelectField, TextField } from "./fields.js";

export const KINDS = { nat: () => _("NAT: behind the host’s address"), routed: () => _("Routed: the host is the gateway"), bridge: () => _("Bridge: beside the host in the provider’s network") };
const EMPTY = { name: "", kind: "routed", bridge: "", cidr_v4: "", gateway_v4: "", cidr_v6: "", gateway_v6: "", dns_servers: "", reserved: "", mtu: 1500, enabled: true, hosts: [] };
const LISTS = ["dns_servers", "reserved"]; // texts while one types, lists in the API
const words = (text) => text.split(/[\s,]+/).filter(Boolean);

function formOf(network) {
  const plain = Object.fromEntries(Object.keys(EMPTY).map((name) => [name, network[name] ?? EMPTY[name]]));
  return { ...plain, ...Object.fromEntries(LISTS.map((name) => [name, network[name].join(" ")])), hosts: network.hosts.map((host) => host.id) };
}

export function NetworkForm({ network, onClose, onDone }) {
  const [opened] = useState(network);
  const [form, setForm] = useState(() => (network ? formOf(network) : EMPTY));
  const hosts = useResource("/hosts", { limit: 1000 });
  const set = (changes) => setForm({ ...form, ...changes });
  const bind = (name) => ({ name, value: form[name] ?? "", onInput: (value) => set({ [name]: value }) });
  const save = async () => {
    const body = { ...form, ...Object.fromEntries(LISTS.map((name) => [name, words(form[name])])), gateway_v4: form.gateway_v4 || null, gateway_v6: form.gateway_v6 || null };
    if (!network) onDone(await post("/networks", body));
    else {
      const changed = changesOf({ ...opened, hosts: opened.hosts.map((host) => host.id) }, body);
      const saved = await patchChanged(`/networks/${network.id}`, opened, changed);
      if (saved) onDone(saved);
    }
    onClose();
  };
  const kinds = Object.entries(KINDS).filter(([kind]) => kind !== "nat" || network?.kind === "nat").map(([kind, word]) => [kind, word()]);
  return html`<${FormDialog} wide title=${network ? _("Edit network") : _("Create network")} submit=${network ? _("Save network") : _("Create network")} onSubmit=${save} onClose=${onClose}>${(problem) => {
    const error = (name) => problem?.errors.find((entry) => entry.field === name || entry.field.startsWith(`${name}.`))?.message;
    return html`<div class="fields-2"><${TextField} label=${_("Name")} required error=${error("name")} ...${bind("name")} />
        <${SelectField} label=${_("Kind")} name="kind" value=${form.kind} options=${kinds} error=${error("kind")} onChange=${(kind) => set({ kind })} />
        <${TextField} label=${_("IPv4 subnet")} placeholder="203.0.113.0/24" error=${error("cidr_v4")} ...${bind("cidr_v4")} /><${TextField} label=${_("IPv4 gateway")} placeholder="203.0.113.1" error=${error("gateway_v4")} ...${bind("gateway_v4")} />
        <${TextField} label=${_("IPv6 subnet")} placeholder="2001:db8::/64" error=${error("cidr_v6")} ...${bind("cidr_v6")} /><${TextField} label=${_("IPv6 gateway")} placeholder="2001:db8::1" error=${error("gateway_v6")} ...${bind("gateway_v6")} /></div>
      <div class="fields-2"><${TextField} label=${_("Bridge on the hosts")} error=${error("bridge")} ...${bind("bridge")} /><${NumberField} label=${_("MTU")} error=${error("mtu")} ...${bind("mtu")} /></div>
      <${TextField} label=${_("DNS servers")} error=${error("dns_servers")} hint=${_("Addresses, separated by spaces.")} ...${bind("dns_servers")} />
      <${TextField} label=${_("Never handed out")} optional=${_("optional")} error=${error("reserved")} hint=${_("Addresses, or IPv4 ranges such as 203.0.113.2-203.0.113.9.")} ...${bind("reserved")} />
      <fieldset class="plain-fieldset"><legend class="form-label">${_("Reached by")}</legend><div class="check-grid">${(hosts.data?.results || []).map((host) => html`<${CheckField} key=${host.id} label=${host.name}
        checked=${form.hosts.includes(host.id)} onChange=${(on) => set({ hosts: on ? [...form.hosts, host.id] : form.hosts.filter((one) => one !== host.id) })} />`)}</div></fieldset>
      <${CheckField} label=${_("Give its addresses to new guests")} checked=${form.enabled} onChange=${(enabled) => set({ enabled })} />`;
  }}<//>`;
}
