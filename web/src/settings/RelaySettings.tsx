import { useEffect, useState, type ReactNode } from "react";
import type { Relay } from "../api/types";
import { useT, type Key } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { kindOf, useLinkProblem } from "../setup/hostLink";
import { useStore } from "../state/store";
import { Confirm } from "../ui/Confirm";
import { Button, Field } from "../ui/controls";

export function RelaySettings(): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [rows, setRows] = useState<Relay[]>([]);
  const [link, setLink] = useState("");
  const [leaving, setLeaving] = useState("");
  const broken = useLinkProblem(link);
  const network = kindOf(link) === "network";
  const status = useStore(roost.status);
  const load = (): void => void roost.client.call("relays-list", {}).then(setRows).catch(() => undefined);
  useEffect(load, [roost, status]);
  const relays = rows.filter((row) => !row.here); // this very device is no relay that one could leave
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
        {relays.map((row, index) => (
          <li key={row.host}>
            <span className={row.reachable ? "lamp on" : row.home || row.onion ? "lamp waiting" : "lamp"} aria-hidden="true" />
            <span className="grow">
              <span>{row.home ? t("relays.home") : row.onion ? t("relays.network") : <bdi>{row.host}</bdi>}</span>
              <span className="hint">{[t(stateOf(row)), ...(index === 0 && relays.length > 1 ? [t("relays.primary")] : []), ...(row.home || row.onion ? [row.host] : [])].join(" · ")}</span>
            </span>
            {rows.length > 1 && <Button onPress={() => setLeaving(row.host)}>{t("relays.remove")}</Button>}
          </li>
        ))}
      </ul>
      {relays.length < rows.length && <p className="hint">{t(relays.length === 0 ? "relays.none" : "relays.here")}</p>}
      {leaving !== "" && <Confirm title={t("relays.remove")} text={[t(relays.find((row) => row.host === leaving)?.onion ? "relays.confirmNetwork" : "relays.confirm", { host: leaving }), ...(relays.length === 1 ? [t("relays.confirmLast")] : [])].join(" ")} onClose={() => setLeaving("")} onConfirm={() => remove(leaving)} />}
      <form onSubmit={(event) => { event.preventDefault(); add(); }}>
        <Field label={t("relays.link")} value={link} onChange={setLink} />
        {network && broken === "" && <p className="hint" role="status">{t("setup.networkHint")}</p>}
        {broken !== "" && <p className="bad" role="alert">{t(broken)}</p>}
        <div className="dialog-actions"><Button type="submit" disabled={link.trim() === "" || broken !== ""}>{t(network ? "relays.addNetwork" : "relays.add")}</Button></div>
      </form>
    </>
  );
}

/** A relay at home is met, like a person: away is nothing bad. Nor is an onion network bad to which a path is being built. */
function stateOf(row: Relay): Key {
  if (row.home) return row.reachable ? "relays.homeUp" : "relays.homeDown";
  if (row.onion && !row.reachable) return row.problem === "no_consensus" ? "relays.noConsensus" : "relays.building";
  return row.reachable ? "relays.up" : "relays.down";
}
