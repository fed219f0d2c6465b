import { useState, type ReactNode } from "react";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { Button, Dialog, Field } from "../ui/controls";
import { tellWaiting, withPicture } from "./changing";
import { GroupPicture } from "./GroupPicture";
import { PickPeople } from "./PickPeople";

export const LONGEST_TITLE = 120;
export const LONGEST_DESCRIPTION = 1000;

/** A group: what it is called, and who is in it from the beginning. */
export function NewGroup({ onClose, onMade }: { onClose: () => void; onMade: (id: string) => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [title, setTitle] = useState("");
  const [picture, setPicture] = useState<File | null>(null);
  const [people, setPeople] = useState<ReadonlySet<string>>(new Set());
  const [busy, setBusy] = useState(false);
  const make = async (): Promise<void> => {
    setBusy(true);
    const worked = await roost.attemptTo(async () => {
      const made = await roost.client.call("group-create", { title: title.trim(), members: [...people] });
      if (picture !== null) {
        await roost.attemptTo(() => withPicture(roost.client, picture, (path) => roost.client.call("group-avatar", { group: made.group, picture: path })));
      }
      tellWaiting(made, t);
      await roost.refreshAll();
      onMade(made.group);
    });
    setBusy(false);
    if (worked) onClose();
  };
  return (
    <Dialog title={t("group.new")} onClose={onClose}>
      <form onSubmit={(event) => { event.preventDefault(); void make(); }}>
        <p className="hint">{t("group.newHow")}</p>
        <Field label={t("group.title")} value={title} onChange={setTitle} autoFocus maxLength={LONGEST_TITLE} />
        <GroupPicture id={title} name={title} chosen={picture} onChosen={setPicture} />
        <h3>{t("group.whoIsIn")}</h3>
        <PickPeople chosen={people} onChosen={setPeople} />
        <div className="dialog-actions">
          <Button kind="primary" type="submit" disabled={busy || title.trim() === ""}>{t(busy ? "common.wait" : "group.make")}</Button>
        </div>
      </form>
    </Dialog>
  );
}
