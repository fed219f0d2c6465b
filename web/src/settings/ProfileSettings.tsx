import { useRef, useState, type ReactNode } from "react";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { notify } from "../state/toasts";
import { Avatar } from "../ui/Avatar";
import { Button, Field } from "../ui/controls";
import { shrink } from "./shrink";

export function ProfileSettings(): ReactNode {
  const roost = useRoost();
  const t = useT();
  const me = useStore(roost.me);
  const [name, setName] = useState(me?.name ?? "");
  const [status, setStatus] = useState(me?.status ?? "");
  const [version, setVersion] = useState("0");
  const picker = useRef<HTMLInputElement>(null);

  const save = (): void =>
    void roost.attemptTo(async () => {
      await roost.client.call("about", { name: name.trim(), status: status.trim() });
      await roost.refreshAll();
      notify(t("settings.saved"));
    });
  const setPicture = (file: File | undefined): void => {
    if (file === undefined) return;
    void roost.attemptTo(async () => {
      const { path } = await roost.client.upload(await shrink(file), true, () => undefined).done;
      await roost.client.call("about", { picture: path });
      await roost.client.call("upload-drop", { paths: [path] });
      setVersion(String(Date.now()));
      notify(t("settings.saved"));
    });
  };
  return (
    <form onSubmit={(event) => { event.preventDefault(); save(); }}>
      <div className="picture-row">
        <Avatar id="me" name={me?.name ?? ""} picture={version} client={roost.client} size="large" />
        <input ref={picker} type="file" accept="image/*" hidden onChange={(event) => setPicture(event.target.files?.[0])} />
        <Button onPress={() => picker.current?.click()}>{t("profile.picture")}</Button>
      </div>
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
