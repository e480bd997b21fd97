// Create a server: image, type and size, access, name. The server's own dry run checks while one types.
import { asProblem, post } from "../lib/api.js";
import { boot, may, serverPath, teamsWhere } from "../lib/boot.js";
import { useDraft, useResource, useUrlQuery } from "../lib/data.js";
import { html, useEffect, useMemo, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { keepOnce } from "../lib/once.js";
import { ProblemNotice } from "../ui/basic.js";
import { AccessBlock, ImageBlock, NameBlock, SizeBlock, fitsImage } from "../ui/create_blocks.js";
import { StaffBlock } from "../ui/create_staff.js";
import { Summary } from "../ui/create_summary.js";
import { PageHead, mount } from "../ui/page.js";
import { passwordKey } from "../ui/root.js";
import { labelsOf } from "../ui/server_settings.js";

const DRY_RUN_WAIT_MS = 350;
const ROOM_EVERY_MS = 60_000;
const WORDS = [["calm", "swift", "quiet", "bright", "north", "amber", "clear", "stone"], ["harbor", "meadow", "falcon", "willow", "river", "summit", "otter", "cedar"]];
const any = (words) => words[Math.floor(Math.random() * words.length)];
const EMPTY = () => ({ image: "", host_type: "", plan: "", own_size: false, vcpus: 1, memory_mib: 1024, disk_gib: 10, keys: null, want_password: false,
  name: `${any(WORDS[0])}-${any(WORDS[1])}`, labels: "", user_data: "", customer_text: "", host: "" });

/** What is sent: only what was chosen. */
function bodyOf(form) {
  const body = { name: form.name, host_type: form.host_type, image: form.image, ssh_keys: form.keys || [] };
  if (form.own_size) Object.assign(body, { vcpus: form.vcpus, memory_mib: form.memory_mib, disk_gib: form.disk_gib });
  else body.plan = form.plan;
  if (form.want_password) body.want_password = true;
  if (form.labels.trim()) body.labels = labelsOf(form.labels);
  if (form.user_data) body.user_data = form.user_data;
  if (form.customer) body.customer = form.customer;
  if (form.host) body.host = form.host;
  return body;
}

/** Choices that follow from what there is: the first image, a type it runs on, the cheapest plan of that type. */
function useDefaults(form, change, { images, plans, keys }) {
  useEffect(() => {
    const changes = {};
    const image = images?.find((one) => one.slug === form.image) || images?.[0];
    if (image && image.slug !== form.image) changes.image = image.slug;
    const types = image ? image.host_types.filter((type) => form.own_size || !plans || plans.some((plan) => plan.host_types.includes(type))) : [];
    const type = types.includes(form.host_type) ? form.host_type : types[0];
    if (type && type !== form.host_type) changes.host_type = type;
    if (type && plans && !form.own_size) {
      const fit = plans.filter((plan) => plan.host_types.includes(type) && fitsImage(plan, image)).sort((a, b) => a.price_monthly - b.price_monthly);
      if (fit.length && !fit.some((plan) => plan.slug === form.plan)) changes.plan = fit[0].slug;
    }
    if (keys && form.keys === null) changes.keys = keys.map((key) => key.id);
    else if (keys && form.keys?.some((id) => !keys.some((key) => key.id === id))) changes.keys = form.keys.filter((id) => keys.some((key) => key.id === id));
    if (Object.keys(changes).length) change(changes);
  }, [images, plans, keys, form.image, form.host_type, form.own_size]);
}

/** The server's opinion of the form, asked for a moment after the last change. */
function useQuote(body, ready) {
  const text = JSON.stringify(body);
  const [quote, setQuote] = useState({ text: "", answer: null, problem: null });
  useEffect(() => {
    if (!ready) return undefined;
    const control = new AbortController();
    const timer = setTimeout(async () => {
      try { setQuote({ text, answer: await post("/guests?dry_run=true", body, { signal: control.signal }), problem: null }); } catch (problem) {
        if (problem.name !== "AbortError") setQuote({ text, answer: null, problem });
      }
    }, DRY_RUN_WAIT_MS);
    return () => { clearTimeout(timer); control.abort(); };
  }, [text, ready]);
  return { ...quote, fresh: quote.text === text };
}

/** How many more fit: rows of {location, host_type, fits} by plan. */
function useRoom() {
  const capacity = useResource("/capacity", undefined, { every: ROOM_EVERY_MS });
  return useMemo(() => {
    const room = {};
    for (const row of capacity.data?.results || []) (room[row.plan] ??= []).push(row);
    return room;
  }, [capacity.data]);
}

function Create() {
  const [draft, change, clear] = useDraft(boot.staff ? "create-guest" : "create-server", useMemo(EMPTY, []));
  const [query, setQuery] = useUrlQuery(); // the address says for whom, so that no draft can order for somebody else
  const teams = teamsWhere("guest.create");
  const customer = boot.staff ? query.customer || "" : (teams.find((team) => team.id === query.customer) || teams[0])?.id || "";
  const form = { ...draft, customer: boot.staff || teams.length > 1 ? customer : "" };
  const pick = (id, changes = {}) => { setQuery({ customer: id }); change({ keys: null, ...changes }); };
  const nobody = boot.staff && !customer && Boolean(draft.customer_text.trim());
  const images = useResource("/images", { state: "ready", limit: 200 });
  const plans = useResource("/plans", { limit: 200 });
  const keys = useResource(boot.staff && !customer ? null : "/ssh-keys", { customer, limit: 200 });
  const lists = { images: images.data?.results, plans: plans.data?.results, keys: keys.data?.results };
  useDefaults(form, change, lists);
  const body = bodyOf(form);
  const ready = Boolean(form.image && form.host_type && (form.plan || form.own_size) && !nobody);
  const quote = useQuote(body, ready);
  const room = useRoom();
  const [failure, setFailure] = useState(null);
  const errors = failure?.errors?.length ? failure.errors : quote.answer?.errors || [];
  const error = (name) => errors.find((entry) => entry.field === name || entry.field.startsWith(`${name}.`))?.message || "";
  useEffect(() => { setFailure(null); }, [JSON.stringify(body)]);
  const submit = async (event) => {
    event?.preventDefault();
    try {
      const answer = await post("/guests", body);
      if (answer.root_password) keepOnce(passwordKey(answer.guest), answer.root_password);
      clear();
      location.assign(serverPath(answer.guest.id));
    } catch (problem) {
      setFailure(asProblem(problem));
      requestAnimationFrame(() => document.querySelector(".field-error, .notice-danger")?.scrollIntoView({ block: "center" }));
    }
  };
  const image = lists.images?.find((one) => one.slug === form.image);
  const plan = form.own_size ? null : lists.plans?.find((one) => one.slug === form.plan);
  const shared = { form, change, error, image, room, pick, nobody, teams, ...lists };
  return html`<${PageHead} title=${boot.staff ? _("Create guest") : _("Create server")} crumbs=${[[serverPath(), boot.staff ? _("Guests") : _("Servers")]]} />
    <${ProblemNotice} problem=${images.problem || plans.problem} />
    <form class="create" data-kept onSubmit=${submit}><div>
      ${(boot.staff || teams.length > 1) && html`<${StaffBlock} ...${shared} />`}
      <${ImageBlock} ...${shared} /><${SizeBlock} ...${shared} />
      <${AccessBlock} ...${shared} customer=${customer} reload=${keys.reload} canAdd=${may("key.manage", customer)} /><${NameBlock} ...${shared} /></div>
      <${Summary} ...${{ form, image, plan, quote, failure, submit, ready }} /></form>`;
}

mount(Create);
