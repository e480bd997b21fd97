// One's own API tokens.
import { may } from "../lib/boot.js";
import { useResource } from "../lib/data.js";
import { html } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Notice } from "../ui/basic.js";
import { PageHead, mount } from "../ui/page.js";
import { TokenList } from "../ui/tokens.js";

function Tokens() {
  const me = useResource("/me");
  return html`<${PageHead} title=${_("Tokens")} sub=${_("For scripts and tools that use the API in your name.")} />
    ${!may("token.view") ? html`<${Notice}>${_("Your role does not include API tokens. An owner of your team can make them.")}<//>`
      : me.data && html`<${TokenList} fixed=${{ client: me.data.client }} empty=${_("No token yet. A token lets a program do what you may do.")} />`}`;
}

mount(Tokens);
