import { useState, type ReactNode } from "react";
import { setOwnPicture } from "../api/picture";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { notify } from "../state/toasts";
import { Avatar } from "../ui/Avatar";
import { Button, Field } from "../ui/controls";
import { PicturePicker } from "../ui/PicturePicker";

export function ProfileSettings(): ReactNode {
  const roost = useRoost();
  const t = useT();
  const me = useStore(roost.me);
  const [name, setName] = useState(me?.name ?? "");
  const [status, setStatus] = useState(me?.status ?? "");

  const save = (): void =>
    void roost.attemptTo(async () => {
      await roost.client.call("about", { name: name.trim(), status: status.trim() });
      await roost.refreshAll();
      notify(t("settings.saved"));
    });
  const setPicture = (picture: File): void =>
    void roost.attemptTo(async () => {
      await setOwnPicture(roost.client, picture);
      await roost.refreshAll();
      notify(t("settings.saved"));
    });
  return (
    <form onSubmit={(event) => { event.preventDefault(); save(); }}>
      <PicturePicker onPicked={setPicture}>
        <Avatar id={me?.account ?? "me"} name={me?.name ?? ""} picture={me?.picture ?? ""} client={roost.client} size="large" />
      </PicturePicker>
      <Field label={t("setup.name")} value={name} onChange={setName} maxLength={64} hint={t("profile.nameHint")} />
      <Field label={t("profile.status")} value={status} onChange={setStatus} maxLength={120} />
      <dl className="facts">
        <dt>{t("profile.account")}</dt>
        <dd className="mono" dir="ltr">{me?.account}</dd>
        <dt>{t("profile.device")}</dt>
        <dd>{me?.device_name}</dd>
      </dl>
      <div className="dialog-actions"><Button kind="primary" type="submit" disabled={name.trim() === ""}>{t("settings.save")}</Button></div>
    </form>
  );
}
