// Images: what guests are made from.
import { post } from "../lib/api.js";
import { may } from "../lib/boot.js";
import { bytes, gib, mib } from "../lib/format.js";
import { html } from "../lib/html.js";
import { _, plural } from "../lib/i18n.js";
import { Ago, Icon, OsMark, State, TypeMark } from "../ui/basic.js";
import { Confirm, openDialog } from "../ui/dialog.js";
import { List } from "../ui/list.js";
import { Menu } from "../ui/menu.js";
import { PageHead, mount } from "../ui/page.js";
import { toast, toastProblem } from "../ui/toast.js";

const retire = (image, list) => openDialog((close) => html`<${Confirm} title=${_("Retire %(name)s", { name: image.name })} submit=${_("Retire image")} onClose=${close}
  onConfirm=${async () => {
    close();
    try { list.replace(await post(`/images/${image.id}/actions/retire`)); toast(_("The image can no longer be ordered.")); } catch (problem) { toastProblem(problem); }
  }}><p>${_("It can no longer be ordered. Guests made from it stay as they are.")}</p><//>`);

const columns = [
  { key: "name", title: _("Image"), sort: "slug", class: "cell-name", cell: (image) => html`<span class="row-line"><${OsMark} os=${image.os} /><span class="two-lines"><b>${image.name}</b><small class="mono">${image.slug}</small></span></span>` },
  { key: "state", title: _("State"), class: "cell-state", cell: (image) => html`<${State} status=${image.state} />` },
  { key: "types", title: _("Runs on"), cell: (image) => html`<span class="row-line">${image.host_types.map((type) => html`<${TypeMark} key=${type} type=${type} />`)}</span>` },
  { key: "boot", title: _("Boots by"), class: "cell-minor", cell: (image) => (image.boot === "disk" ? html`<span title=${_("Has its own boot loader and kernel.")}>${_("its own disk")}</span>` : html`<span title=${_("Kernel and initrd come from the image; root cannot change them.")}>${_("given kernel")}</span>`) },
  { key: "init", title: _("User-data"), class: "cell-minor", cell: (image) => (image.cloud_init ? _("cloud-init") : html`<span class="muted">${_("scripts only")}</span>`) },
  { key: "needs", title: _("Needs"), class: "cell-minor", cell: (image) => html`<span class="two-lines"><span class="nowrap">${_("%(size)s memory", { size: mib(image.min_memory_mib) })}</span><small>${_("%(size)s disk", { size: gib(image.min_disk_gib) })}</small></span>` },
  { key: "size", title: _("Size"), class: "cell-num cell-minor", cell: (image) => html`<span class="nowrap">${bytes(image.size_bytes)}</span>` },
  { key: "hosts", title: _("On hosts"), label: true, cell: (image) => (image.on_hosts?.length ? html`<span title=${image.on_hosts.map((host) => host.name).join(", ")}>${plural("%(count)s host", "%(count)s hosts", image.on_hosts.length)}</span>` : html`<span class="muted" title=${_("It is copied to a host with the first guest there.")}>${_("none yet")}</span>`) },
  { key: "age", title: _("Built"), sort: "created_at", firstSort: "-created_at", class: "cell-minor", cell: (image) => html`<${Ago} at=${image.created_at} />` },
  may("image.manage") && { key: "actions", title: _("Actions"), hideTitle: true, class: "cell-end cell-actions", cell: (image, list) => html`<${Menu} label=${_("Change %(name)s", { name: image.name })} buttonClass="icon-button tight"
    button=${html`<${Icon} name="dots" />`} items=${[{ text: _("Retire image"), icon: "ban", danger: true, note: _("No new guests from it."), disabled: image.state === "retired", reason: _("It is retired already."), onSelect: () => retire(image, list) }]} />` },
].filter(Boolean);

mount(() => html`<${PageHead} title=${_("Images")} sub=${_("What guests are made from. An image’s content never changes; a newer one replaces it.")} />
  <${List} endpoint="/images" caption=${_("Images")} columns=${columns} sort="slug" filters=${[
    { param: "state", label: _("State"), options: [["ready", _("Ready")], ["building", _("Being built")], ["error", _("Failed")], ["retired", _("Retired")]] },
    { param: "host_type", label: _("Runs on"), options: [["kvm", "KVM"], ["xen", "Xen"], ["lxc", "LXC"]] }]}
    when=${(message) => message.type === "image"} empty=${{ text: _("No image yet. The first ones are being built by jobs."), action: html`<a class="btn" href="/jobs">${_("Open jobs")}</a>` }} />`);
