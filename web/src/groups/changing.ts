// Asking for a change of a group, and saying what became of it.

import type { Client } from "../api/client";
import type { GroupChanged } from "../api/groups";
import { useT, type Translate } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { notify } from "../state/toasts";

const ECHO_MS = 1000; // in which the event about the same comes too

/** A change that cannot come about at once is kept, and comes about by itself: say so. */
export function tellWaiting(done: GroupChanged, t: Translate): void {
  if (done.state === "waiting") notify(t(done.done === "added" && done.reason !== "" ? "group.waitsKeys" : "group.waits"));
}

export type Change = (work: () => Promise<GroupChanged | readonly GroupChanged[]>) => Promise<boolean>;

/** Carry out a change of a group and read again what it is like. False: it was refused, which has been said. */
export function useChange(): Change {
  const roost = useRoost();
  const t = useT();
  return (work) =>
    roost.attemptTo(async () => {
      roost.groups.asked += 1;
      const done = [await work().finally(() => window.setTimeout(() => (roost.groups.asked -= 1), ECHO_MS))].flat();
      for (const each of done) {
        tellWaiting(each, t);
        await roost.groups.load(each.group).catch(() => undefined); // it may be gone
      }
      roost.refreshConversations();
      await roost.groups.refreshRequests();
    });
}

/** Hand a picture to the agent for as long as `use` works with it. */
export async function withPicture<A>(client: Client, picture: File, use: (path: string) => Promise<A>): Promise<A> {
  const { path } = await client.upload(picture, true, () => undefined).done;
  try {
    return await use(path);
  } finally {
    await client.call("upload-drop", { paths: [path] }).catch(() => undefined);
  }
}
