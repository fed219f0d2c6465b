import type { AddedContact } from "../api/direct";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { notify } from "../state/toasts";
import { cleanName } from "../ui/text";

/** As the agent reads them: `roost:` or a page's address whose fragment holds the invitation. */
export function isInvitation(text: string): boolean {
  return /^(roost:|roost-channel:|https:\/\/[^#]+#)\S+$/iu.test(text.trim());
}

/** Follow a person's invitation, and say what came of it. */
export function useAsk(): (link: string, greeting?: string, nearby?: boolean) => Promise<AddedContact> {
  const roost = useRoost();
  const t = useT();
  return async (link, greeting = "", nearby = false) => {
    const added = await roost.client.call("add", { link, greeting });
    const name = cleanName(added.name);
    notify(t(added.state === "accepted" ? "add.met" : "add.asked", { name }));
    if (added.compare || nearby) roost.compare.set({ id: added.contact, name });
    await roost.refreshAll();
    return added;
  };
}
