// What the page's HTML carries for its modules: who is here, and which object the address names.
const read = (id) => JSON.parse(document.getElementById(id)?.textContent || "{}");

export const boot = read("boot");
export const pageData = read("page-data");
const rights = new Set(boot.rights || []);

/**
 * True when the person may do this: with `customer`, to that customer's things, else to somebody's. The server
 * decides each case; this decides what is offered.
 */
export function may(right, customer) {
  const team = customer && !boot.staff && boot.customers.find((one) => one.id === customer);
  return team ? team.rights.includes(right) : rights.has(right);
}

/** The person's customers where they may do this. */
export const teamsWhere = (right) => boot.customers.filter((one) => one.rights.includes(right));

/** "server" is what customers read, "guest" what staff read. */
export const serverPath = (id = "") => `${boot.staff ? "/guests" : "/servers"}${id ? `/${id}` : ""}`;
