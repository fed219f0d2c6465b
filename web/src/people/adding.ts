import type { AddedContact } from "../api/direct";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { notify } from "../state/toasts";
import { cleanName } from "../ui/text";

/** As the agent reads them: `roost:` or a page's address whose fragment holds the invitation. */
export function isInvitation(text: string): boolean {
  return /^(roost:|roost-channel:|https:\/\/[^#]+#)\S+$/iu.test(text.trim());
}

/** Follow a person's invitation, and say what came of it; `shown`: as whom they showed themselves nearby. */
export function useAsk(): (link: string, greeting?: string, shown?: string) => Promise<AddedContact> {
  const roost = useRoost();
  const t = useT();
  return async (link, greeting = "", shown = "") => {
    const added = await roost.client.call("add", { link, greeting });
    if (added.waiting) {
      notify(t("add.waiting"));
      return added;
    }
    const known = !added.contact.startsWith(added.name); // a link has no name in it: they tell it as they accept
    const name = known ? added.name : shown;
    notify(t(added.state === "accepted" ? "add.met" : name === "" ? "add.askedThem" : "add.asked", { name: cleanName(name) }));
    if (added.compare || shown !== "") roost.compare.set({ id: added.contact, name: name || added.name });
    await roost.refreshAll();
    return added;
  };
}
