import { useEffect, useState, type ReactNode } from "react";
import type { HostState } from "../api/types";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { notify } from "../state/toasts";
import { BlockedPeople } from "./BlockedPeople";
import { Button, Field, Options, Switch } from "../ui/controls";

export function PrivacySettings({ host }: { host: HostState }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const choices = useStore(roost.preferences.choices);
  const [receipts, setReceipts] = useState(true);
  useEffect(() => {
    void roost.client.call("privacy", {}).then((answer) => setReceipts(answer.read_receipts)).catch(() => undefined);
  }, [roost]);
  const change = (on: boolean): void => {
    setReceipts(on);
    void roost.attemptTo(() => roost.client.call("privacy", { read_receipts: on }));
  };
  return (
    <>
      <Switch label={t("privacy.receipts")} hint={t("privacy.receiptsHint")} on={receipts} onChange={change} />
      {host.protection === "passphrase" && (
        <Options row label={t("privacy.lockAfter")} value={choices.lockAfter} onChange={(value) => roost.preferences.set("lockAfter", value)} options={[
          { value: "never", label: t("privacy.never") },
          { value: "5", label: t("privacy.minutes", { n: 5 }) },
          { value: "15", label: t("privacy.minutes", { n: 15 }) },
          { value: "60", label: t("privacy.minutes", { n: 60 }) },
        ]} />
      )}
      <BlockedPeople />
      <ChangePassphrase had={host.protection === "passphrase"} />
    </>
  );
}

function ChangePassphrase({ had }: { had: boolean }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [old, setOld] = useState("");
  const [next, setNext] = useState("");
  const change = (): void =>
    void roost.attemptTo(async () => {
      await roost.client.call("passphrase", { ...(had ? { old } : {}), new: next, protection: "passphrase" });
      setOld("");
      setNext("");
      notify(t("settings.saved"));
    });
  return (
    <form onSubmit={(event) => { event.preventDefault(); change(); }}>
      <h3>{t("privacy.passphrase")}</h3>
      {had && <Field label={t("privacy.old")} type="password" value={old} onChange={setOld} autoComplete="current-password" />}
      <Field label={t("privacy.new")} type="password" value={next} onChange={setNext} autoComplete="new-password" />
      <div className="dialog-actions"><Button type="submit" disabled={next === "" || (had && old === "")}>{t("privacy.change")}</Button></div>
    </form>
  );
}
