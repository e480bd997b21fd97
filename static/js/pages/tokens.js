// One's own API tokens.
import { may } from "../lib/boot.js";
import { useResource } from "../lib/data.js";
import { html } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Card, Notice, Pending, ProblemNotice } from "../ui/basic.js";
import { PageHead, mount } from "../ui/page.js";
import { TokenList } from "../ui/tokens.js";

const head = (button) => html`<${PageHead} title=${_("Tokens")} sub=${_("For scripts and tools that use the API in your name.")}>${button}<//>`;

function Tokens() {
  const me = useResource("/me");
  if (!may("token.view")) return html`${head()}<${Notice}>${_("Your role does not include API tokens. An owner of your team can make them.")}<//>`;
  if (me.problem && !me.data) return html`${head()}<${ProblemNotice} problem=${me.problem} retry=${me.reload} />`;
  if (!me.data) return html`${head()}<${Card}><${Pending} lines=${4} /><//>`;
  return html`<${TokenList} head=${head} fixed=${{ client: me.data.client }} empty=${_("No token yet. A token lets a program do what you may do.")} />`;
}

mount(Tokens);
