// The list of servers (customers) or guests (staff).
import { boot, may, serverPath } from "../lib/boot.js";
import { html } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Icon } from "../ui/basic.js";
import { GuestList, guestColumns } from "../ui/guests.js";
import { PageHead, mount } from "../ui/page.js";

function Guests() {
  const canCreate = may(boot.staff ? "guest.place" : "guest.create");
  const create = canCreate && html`<a class="btn btn-primary" href=${serverPath("new")}><${Icon} name="plus" />${boot.staff ? _("Create guest") : _("Create server")}</a>`;
  return html`<${PageHead} title=${boot.staff ? _("Guests") : _("Servers")}>${create}<//>
    <${GuestList} caption=${boot.staff ? _("Guests") : _("Servers")} columns=${guestColumns({ customer: boot.staff, host: boot.staff })}
      empty=${{ text: boot.staff ? _("No guest yet. The first one takes a minute.") : _("No server yet. The first one takes a minute."), action: create }} />`;
}

mount(Guests);
