import { useEffect, useState, type ReactNode } from "react";
import { Label, Text, TextArea, TextField } from "react-aria-components";
import { ApiError } from "../api/client";
import type { Carrier, CarrierKind } from "../api/direct";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { notify } from "../state/toasts";
import { Button, Switch } from "../ui/controls";
import { Confirm } from "../ui/Confirm";
import { cleanText } from "../ui/text";

/** What the agent wants to be sure of before it turns a carrier on or off. */
const QUESTIONS: Record<string, "internet" | "last"> = { shows_address: "internet", last_carrier: "last" };

/** The ways on which devices meet: which are on, whether they work now, and why not. */
export function CarrierSettings(): ReactNode {
  const roost = useRoost();
  const t = useT();
  const rows = useStore(roost.carriers);
  const [asked, setAsked] = useState<{ carrier: CarrierKind; on: boolean; question: "internet" | "last" } | null>(null);
  useEffect(() => void roost.refreshCarriers().catch(() => undefined), [roost]);
  const turn = (carrier: CarrierKind, on: boolean, sure = false): void => {
    setAsked(null);
    void roost.attemptTo(async () => {
      try {
        roost.carriers.set(await roost.client.call("carriers-turn", { carriers: [carrier], on, sure }));
        void roost.refreshStatus();
      } catch (error) {
        const question = error instanceof ApiError ? QUESTIONS[error.code] : undefined;
        if (question === undefined || sure) throw error;
        setAsked({ carrier, on, question });
      }
    });
  };
  const alone = rows.length > 0 && rows.every((row) => !row.on);
  return (
    <>
      <p className="hint">{t("carriers.what")}</p>
      {alone && <p>{t("carriers.none")}</p>}
      {rows.map((row) => (
        <section key={row.carrier} className="card" aria-label={t(`carrier.${row.carrier}`)}>
          <Switch label={t(`carrier.${row.carrier}`)} hint={t(`carrier.${row.carrier}.what`)} on={row.on} onChange={(on) => turn(row.carrier, on)} />
          <State row={row} />
          <p className="hint">{t(`carrier.${row.carrier}.shows`)}</p>
          {row.carrier === "tor" && row.on && <Bridges />}
        </section>
      ))}
      {asked && (
        <Confirm
          title={t(asked.on ? "carriers.turnOn" : "carriers.turnOff")}
          text={t(`carriers.confirm.${asked.question}`)}
          danger={!asked.on}
          onClose={() => setAsked(null)}
          onConfirm={() => turn(asked.carrier, asked.on, true)}
        />
      )}
    </>
  );
}

/** Whether it works now, and for whom; or why not and what to do, in the agent's words. */
function State({ row }: { row: Carrier }): ReactNode {
  const t = useT();
  const word = t(!row.on ? "carriers.off" : row.ready ? "carriers.ready" : "carriers.notReady");
  return (
    <div className="carrier-state" role="status">
      <span className={!row.on ? "lamp off" : row.ready ? "lamp on" : "lamp waiting"} aria-hidden="true" />
      <div>
        <p>{row.links > 0 ? `${word} · ${t("carriers.links.other", { n: row.links })}` : word}</p>
        {row.on && row.why !== "" && <p dir="auto">{cleanText(row.why)}</p>}
        {row.on && row.hint !== "" && <p className="hint" dir="auto">{cleanText(row.hint)}</p>}
      </div>
    </div>
  );
}

/** Ways into Tor where it is blocked. */
function Bridges(): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [kept, setKept] = useState<string | null>(null);
  const [lines, setLines] = useState("");
  const take = (bridges: string[]): void => {
    setKept(bridges.join("\n"));
    setLines(bridges.join("\n"));
  };
  useEffect(() => {
    void roost.client.call("carriers-set", {}).then(({ bridges }) => take(bridges)).catch(() => undefined);
  }, [roost]);
  const save = (): void =>
    void roost.attemptTo(async () => {
      const bridges = lines.split("\n").map((line) => line.trim()).filter((line) => line !== "");
      take((await roost.client.call("carriers-set", { bridges })).bridges);
      notify(t("carriers.saved"));
    });
  return (
    <form onSubmit={(event) => { event.preventDefault(); save(); }}>
      <TextField className="field" value={lines} onChange={setLines} isDisabled={kept === null}>
        <Label>{t("carriers.bridges")}</Label>
        <TextArea rows={3} dir="ltr" spellCheck="false" />
        <Text slot="description">{t("carriers.bridgesHint")}</Text>
      </TextField>
      {kept !== null && lines !== kept && <div className="dialog-actions"><Button type="submit">{t("settings.save")}</Button></div>}
    </form>
  );
}
