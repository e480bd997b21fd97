// Words for the codes of the audit trail.
import { _ } from "./i18n.js";

export const OBJECT_WORDS = {
  guest: () => _("Guest"), host: () => _("Host"), customer: () => _("Customer"), user: () => _("User"), token: () => _("Token"), network: () => _("Network"),
  plan: () => _("Plan"), subscription: () => _("Service"), image: () => _("Image"), key: () => _("SSH key"), "ssh-key": () => _("SSH key"), job: () => _("Job"),
  client: () => _("Integration"), pool: () => _("Storage pool"), member: () => _("Member"), panel: () => _("Panel"),
  difference: () => _("Difference"),
};

const ACTIONS = {
  "user.logged-in": () => _("Signed in"), "user.logged-out": () => _("Signed out"), "user.login": () => _("Sign-in"), "user.login-throttled": () => _("Sign-ins throttled"), "user.created": () => _("User created"),
  "user.changed": () => _("User changed"), "user.password-changed": () => _("Password changed"), "user.set-password-link-made": () => _("Set-password link made"),
  "user.password-reset-on-the-machine": () => _("Password reset on the machine"), "user.first-admin-made": () => _("First administrator made"),
  "guest.created": () => _("Guest ordered"), "guest.changed": () => _("Guest changed"), "guest.create.requested": () => _("Build requested again"),
  "guest.start.requested": () => _("Start requested"), "guest.shutdown.requested": () => _("Shutdown requested"), "guest.stop.requested": () => _("Power-off requested"),
  "guest.reboot.requested": () => _("Reboot requested"), "guest.reset.requested": () => _("Reset requested"), "guest.rebuild.requested": () => _("Rebuild requested"),
  "guest.resize.requested": () => _("Resize requested"), "guest.delete.requested": () => _("Deletion requested"), "guest.reset-root-password.requested": () => _("New root password requested"),
  "guest.suspended": () => _("Guest suspended"), "guest.suspend.requested": () => _("Stop of the suspended guest requested"),
  "guest.unsuspended": () => _("Suspension lifted"), "guest.unsuspend.requested": () => _("Start after the suspension requested"),
  "guest.repair.requested": () => _("Repair requested"), "guest.adopt.requested": () => _("Take-over requested"),
  "guest.delete.disk_left": () => _("Disk of a deleted guest left where it is"),
  "difference.ignored": () => _("Difference ignored"), "difference.repaired": () => _("Difference repaired"), "difference.repair.requested": () => _("Repair of a difference requested"),
  "difference.released": () => _("Difference released"), "difference.release.requested": () => _("Release of a difference requested"),
  "host.enrolled": () => _("Host enrolled"), "host.edited": () => _("Host changed"), "host.check": () => _("Host check requested"),
  "host.maintenance-entered": () => _("Maintenance began"), "host.maintenance-left": () => _("Maintenance ended"), "pool.edited": () => _("Storage pool changed"),
  "network.created": () => _("Network created"), "network.edited": () => _("Network changed"), "network.deleted": () => _("Network deleted"),
  "image.ordered": () => _("Image ordered"), "image.retired": () => _("Image retired"),
  "plan.created": () => _("Plan created"), "plan.edited": () => _("Plan changed"), "plan.archived": () => _("Plan archived"),
  "subscription.created": () => _("Service began"), "subscription.terminated": () => _("Service ended"), "subscription.plan-changed": () => _("Plan of the service changed"),
  "customer.created": () => _("Customer created"), "customer.changed": () => _("Customer changed"), "customer.deleted": () => _("Customer deleted"),
  "customer.acting-started": () => _("Began to act as the customer"), "customer.acting-stopped": () => _("Stopped acting as the customer"),
  "member.added": () => _("Member added"), "member.removed": () => _("Member removed"), "member.role-changed": () => _("Role changed"),
  "key.created": () => _("SSH key added"), "key.changed": () => _("SSH key changed"), "key.deleted": () => _("SSH key removed"),
  "token.created": () => _("Token created"), "token.revoked": () => _("Token revoked"), "token.used-from-new-address": () => _("Token used from a new address"),
  "client.created": () => _("Integration created"), "client.changed": () => _("Integration changed"),
  "job.cancel.requested": () => _("Job cancelled"), "job.retried": () => _("Job begun again"),
  "panel.backed-up": () => _("Panel backed up"), "panel.restored": () => _("Panel restored from a backup"),
};

const FIELDS = {
  name: () => _("Name"), email: () => _("E-mail"), reason: () => _("Reason"), note: () => _("Note"), labels: () => _("Labels"), role: () => _("Role"), staff_role: () => _("Staff role"),
  is_active: () => _("Switched on"), location: () => _("Location"), state: () => _("State"), plan: () => _("Plan"), image: () => _("Image"), host: () => _("Host"), hosts: () => _("Hosts"),
  vcpus: () => _("vCPUs"), memory_mib: () => _("Memory, MiB"), disk_gib: () => _("Disk, GiB"), cpu_overcommit: () => _("vCPUs for each CPU"), memory_overcommit: () => _("Memory for each MiB"),
  memory_reserve_mib: () => _("Kept for the host, MiB"), quota_guests: () => _("Quota of guests"), quota_vcpus: () => _("Quota of vCPUs"), quota_memory_mib: () => _("Quota of memory, MiB"),
  quota_disk_gib: () => _("Quota of disk, GiB"), quota_addresses: () => _("Quota of addresses"), enabled: () => _("Given to new guests"), dns_servers: () => _("DNS servers"), reserved: () => _("Never handed out"),
  accept_host_root: () => _("Root may become the host’s"),
  price_monthly: () => _("Price a month"), price_hourly: () => _("Price an hour"), external_id: () => _("External id"), scope: () => _("May"), expires_at: () => _("Ends"),
};

const plain = (code) => String(code).replace(/[._-]+/g, " ").replace(/^./, (first) => first.toUpperCase());

export const objectWord = (type) => OBJECT_WORDS[type]?.() || plain(type);
export const auditWord = (action) => ACTIONS[action]?.() || plain(action);
export const fieldWord = (name) => FIELDS[name]?.() || plain(name);
