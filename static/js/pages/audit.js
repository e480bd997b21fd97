// The audit trail: who did what, when, from where.
import { html } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { AuditList } from "../ui/audit.js";
import { PageHead, mount } from "../ui/page.js";

mount(() => html`<${PageHead} title=${_("Audit")} sub=${_("Every accepted change, sign-ins and refused sign-ins. Nothing here can be altered.")} /><${AuditList} search=${_("Who: name or id")} />`);
