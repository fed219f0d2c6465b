import { useState, type ReactNode } from "react";
import type { ChannelChanged, Posting } from "../api/groups";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { Button, Dialog, Field, Options } from "../ui/controls";
import { LONGEST_DESCRIPTION, LONGEST_TITLE } from "./NewGroup";
import { Share } from "./Share";

/** A channel: whoever has its link reads it. */
export function NewChannel({ onClose, onMade }: { onClose: () => void; onMade: (id: string) => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [title, setTitle] = useState("");
  const [description, setDescription] = useState("");
  const [posting, setPosting] = useState<Posting>("roles");
  const [name, setName] = useState("");
  const [busy, setBusy] = useState(false);
  const [made, setMade] = useState<ChannelChanged | null>(null);
  const make = async (): Promise<void> => {
    setBusy(true);
    await roost.attemptTo(async () => {
      const channel = await roost.client.call("channel-create", { title: title.trim(), description: description.trim(), posting, name: name.trim() });
      await roost.refreshAll();
      onMade(channel.channel);
      setMade(channel);
    });
    setBusy(false);
  };
  if (made !== null) {
    return (
      <Dialog title={t("channel.made")} onClose={onClose}>
        <p>{t("channel.linkHow")}</p>
        <Share link={made.link} />
      </Dialog>
    );
  }
  return (
    <Dialog title={t("channel.new")} onClose={onClose}>
      <form onSubmit={(event) => { event.preventDefault(); void make(); }}>
        <p className="hint">{t("channel.newHow")}</p>
        <Field label={t("channel.title")} value={title} onChange={setTitle} autoFocus maxLength={LONGEST_TITLE} />
        <Field label={t("group.description")} value={description} onChange={setDescription} maxLength={LONGEST_DESCRIPTION} />
        <WhoPosts value={posting} onChange={setPosting} />
        <Field label={t("channel.myName")} value={name} onChange={setName} maxLength={64} hint={t("channel.myNameHint")} />
        <div className="dialog-actions">
          <Button kind="primary" type="submit" disabled={busy || title.trim() === ""}>{t(busy ? "common.wait" : "channel.make")}</Button>
        </div>
      </form>
    </Dialog>
  );
}

export function WhoPosts({ value, onChange }: { value: Posting; onChange: (value: Posting) => void }): ReactNode {
  const t = useT();
  return (
    <Options
      label={t("channel.posting")}
      value={value}
      onChange={onChange}
      options={[
        { value: "roles", label: t("channel.posting.roles"), hint: t("channel.posting.rolesHint") },
        { value: "all", label: t("channel.posting.all"), hint: t("channel.posting.allHint") },
      ]}
    />
  );
}
