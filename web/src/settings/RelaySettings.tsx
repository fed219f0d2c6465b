import { useEffect, useState, type ReactNode } from "react";
import type { Relay } from "../api/types";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { Confirm } from "../ui/Confirm";
import { Button, Field } from "../ui/controls";

export function RelaySettings(): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [rows, setRows] = useState<Relay[]>([]);
  const [link, setLink] = useState("");
  const [leaving, setLeaving] = useState("");
  const load = (): void => void roost.client.call("relays-list", {}).then(setRows).catch(() => undefined);
  useEffect(load, [roost]);
  const add = (): void =>
    void roost.attemptTo(async () => {
      await roost.client.call("relays-add", { link: link.trim() });
      setLink("");
      load();
    });
  const remove = (host: string): void => {
    setLeaving("");
    void roost.attemptTo(async () => {
      await roost.client.call("relays-remove", { host });
      load();
    });
  };
  return (
    <>
      <p className="hint">{t("relays.what")}</p>
      <ul className="plain-list">
        {rows.map((row) => (
          <li key={row.host}>
            <span className={row.reachable ? "lamp on" : "lamp"} aria-hidden="true" />
            <span className="grow"><bdi>{row.host}</bdi><span className="hint">{t(row.reachable ? "relays.up" : "relays.down")}{row.primary ? ` · ${t("relays.primary")}` : ""}</span></span>
            {rows.length > 1 && <Button onPress={() => setLeaving(row.host)}>{t("relays.remove")}</Button>}
          </li>
        ))}
      </ul>
      {leaving !== "" && <Confirm title={t("relays.remove")} text={t("relays.confirm", { host: leaving })} onClose={() => setLeaving("")} onConfirm={() => remove(leaving)} />}
      <form onSubmit={(event) => { event.preventDefault(); add(); }}>
        <Field label={t("setup.relayLinkField")} value={link} onChange={setLink} />
        <div className="dialog-actions"><Button type="submit" disabled={link.trim() === ""}>{t("relays.add")}</Button></div>
      </form>
    </>
  );
}
