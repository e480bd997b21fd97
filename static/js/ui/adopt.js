// Taking over a domain that the panel has not made: whose it becomes, its name, its networks and addresses.
import { post } from "../lib/api.js";
import { useResource } from "../lib/data.js";
import { vcpus } from "../lib/differences.js";
import { bytes, diskWords, mib } from "../lib/format.js";
import { html, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Facts } from "./basic.js";
import { FormDialog } from "./dialog.js";
import { CheckField, SelectField, TextField } from "./fields.js";
import { toast } from "./toast.js";

const hostName = (name) => name.toLowerCase().replace(/[^a-z0-9-]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 63);
const addressesOf = (text) => text.split(/[\s,]+/).filter(Boolean);
const GIB = 2 ** 30;
/** What becomes the server's own; of a container's file systems its root alone. */
const ownDisks = (found) => found.disks.filter((disk) => !disk.read_only && (disk.kind === "disk" || (disk.kind === "filesystem" && (disk.target === "/" || found.user_namespace == null))));
const diskShown = (disk) => (disk.capacity_bytes ? `${disk.format}, ${bytes(disk.capacity_bytes)}` : { directory: _("a directory of the host, left as it is") }[disk.source] || disk.format);
const diskGib = (found) => ownDisks(found).reduce((sum, disk) => sum + Math.ceil(disk.capacity_bytes / GIB), 0);

/** What a plan has otherwise than the server that was found, in words; "" when it fits. Its disk may be larger. */
function mismatch(plan, { found, host_type }) {
  if (!plan.host_types.includes(host_type)) return _("not for %(type)s", { type: host_type.toUpperCase() });
  const has = [plan.vcpus !== found.vcpus && vcpus(plan.vcpus), plan.memory_mib !== found.memory_mib && _("%(size)s memory", { size: mib(plan.memory_mib) }),
    plan.disk_gib < diskGib(found) && _("%(count)s GiB of disk", { count: plan.disk_gib })].filter(Boolean);
  return has.length ? _("does not fit, has %(size)s", { size: has.join(", ") }) : "";
}

/** All plans, those that fit first; the others say what does not. */
function planOptions(plans, row) {
  const shown = plans.map((plan) => ({ plan, wrong: mismatch(plan, row) }));
  return [["", _("None: as found")], ...shown.filter(({ wrong }) => !wrong).map(({ plan }) => [plan.slug, _("%(plan)s: fits", { plan: plan.name })]),
    ...shown.filter(({ wrong }) => wrong).map(({ plan, wrong }) => [plan.slug, `${plan.name}: ${wrong}`, true])];
}

/** The server names a nic by its MAC, or by its place in what was sent: both belong at the field of its addresses. */
function atFields(problem, nics) {
  problem.errors?.forEach((entry) => { entry.field = entry.field.replace(/^nics\.(\d+)\..*/, (all, index) => `nics.${nics[index].mac}`); });
  return problem;
}

/** `row`: the difference. A field of a nic is called as the server names it in its answer. */
export function AdoptDialog({ row, onClose, onDone }) {
  const { found } = row;
  const [form, setForm] = useState({ customer: "", name: hostName(found.name), plan: "", over_limit: false, accept_host_root: false });
  const hostRoot = row.host_type === "lxc" && !found.user_namespace;
  const [nics, setNics] = useState(found.nics.map((nic) => ({ mac: nic.mac, bridge: nic.bridge, network: "", addresses: nic.addresses.join(" ") })));
  const customers = useResource("/customers", { limit: 1000, sort: "name" });
  const plans = useResource("/plans", { limit: 1000 });
  const networks = useResource("/networks", { limit: 1000, sort: "name" });
  const change = (changes) => setForm({ ...form, ...changes });
  const changeNic = (mac, changes) => setNics(nics.map((nic) => (nic.mac === mac ? { ...nic, ...changes } : nic)));
  const here = (bridge) => (networks.data?.results || []).filter((network) => network.bridge === bridge && network.hosts.some((host) => host.id === row.host));
  const save = async () => {
    const body = { customer: form.customer, name: form.name, over_limit: form.over_limit, accept_host_root: form.accept_host_root,
      nics: nics.map((nic) => ({ mac: nic.mac, addresses: addressesOf(nic.addresses), ...(nic.network ? { network: nic.network } : {}) })) };
    if (form.plan) body.plan = form.plan;
    const answer = await post(`/differences/${row.id}/actions/adopt`, body).catch((problem) => { throw atFields(problem, nics); });
    toast(_("It is being taken over; it runs on."), { link: { href: `/jobs/${answer.job.id}`, text: _("Open job") } });
    onDone();
    onClose();
  };
  return html`<${FormDialog} wide title=${_("Take over %(name)s", { name: found.name })} submit=${_("Take over server")} onSubmit=${save} onClose=${onClose} ready=${Boolean(form.customer) && (!hostRoot || form.accept_host_root)}>${(problem) => html`
    <p>${_("It becomes a customer’s server without being stopped. Its disks, MACs and its name on the host stay. From then on its nics may send from the addresses below alone.")}</p>
    <${Facts} rows=${[
      [_("Size"), `${vcpus(found.vcpus)}, ${_("%(size)s memory", { size: mib(found.memory_mib) })}, ${diskGib(found) ? _("%(count)s GiB of disk", { count: diskGib(found) }) : diskWords(0)}`],
      [_("Disks"), found.disks.filter((disk) => disk.kind === "disk" || ownDisks(found).includes(disk)).map((disk) => html`<span class="mono" key=${disk.target}>${disk.path}</span> (${diskShown(disk)}) `)],
    ]} />
    <div class="fields-2"><${SelectField} label=${_("Customer")} name="customer" value=${form.customer} error=${problem?.field("customer")} onChange=${(value) => change({ customer: value })}
        options=${[["", _("Choose a customer")], ...(customers.data?.results || []).map((one) => [one.id, one.name])]} />
      <${TextField} label=${_("Name")} name="name" value=${form.name} error=${problem?.field("name")} onInput=${(value) => change({ name: value })} /></div>
    <${SelectField} label=${_("Plan")} name="plan" value=${form.plan} error=${problem?.field("plan")} onChange=${(value) => change({ plan: value })}
      hint=${_("A plan of the size it has, with at least as much disk. Without one it keeps its size and is not billed.")}
      options=${planOptions(plans.data?.results || [], row)} />
    ${nics.map((nic) => html`<fieldset class="stack-small" key=${nic.mac}><legend class="form-label">${_("Nic %(mac)s on %(bridge)s", { mac: nic.mac, bridge: nic.bridge || _("no bridge") })}</legend>
      <${SelectField} label=${_("Network")} name=${`network-${nic.mac}`} value=${nic.network} onChange=${(value) => changeNic(nic.mac, { network: value })}
        options=${[["", here(nic.bridge).length ? _("By its bridge: %(name)s", { name: here(nic.bridge)[0].name }) : _("No network has this bridge: make one first")], ...here(nic.bridge).map((network) => [network.id, network.name])]} />
      <${TextField} label=${_("Addresses")} name=${`nics.${nic.mac}`} value=${nic.addresses} error=${problem?.field(`nics.${nic.mac}`)} hint=${_("All that it uses, IPv4 and IPv6, with spaces between.")} onInput=${(value) => changeNic(nic.mac, { addresses: value })} /></fieldset>`)}
    ${hostRoot && html`<${CheckField} label=${_("I accept that its root may become root of the host")} name="accept_host_root" checked=${form.accept_host_root} onChange=${(value) => change({ accept_host_root: value })}
      hint=${_("This container has no user namespace. Whoever is root in it can break out of it: give it only to somebody whom you trust with the host.")} />`}
    <${CheckField} label=${_("Take it over also when the customer’s quota or the host’s room is too small")} name="over_limit" checked=${form.over_limit} onChange=${(value) => change({ over_limit: value })} />`}<//>`;
}
