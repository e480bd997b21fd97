// What the page's HTML carries for its modules: who is here, and which object the address names.
const read = (id) => JSON.parse(document.getElementById(id)?.textContent || "{}");

export const boot = read("boot");
export const pageData = read("page-data");
const rights = new Set(boot.rights || []);

/** True when the person may do this to at least one customer's things; the server decides each case. */
export const may = (right) => rights.has(right);

/** "server" is what customers read, "guest" what staff read. */
export const serverPath = (id = "") => `${boot.staff ? "/guests" : "/servers"}${id ? `/${id}` : ""}`;
