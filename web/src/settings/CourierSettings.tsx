import { useEffect, useRef, useState, type ReactNode } from "react";
import type { CarryExported, CarryImported, Courier } from "../api/direct";
import { useLanguage, useT, type Key } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { newUploadId, upload } from "../state/upload";
import { Button, Field, Switch } from "../ui/controls";
import { cleanName, fileSize } from "../ui/text";

const MIB = 2 ** 20;
const LIMITS = ["size", "share", "rate", "days", "hops"] as const;
type Limit = (typeof LIMITS)[number];
const IN_MIB: readonly Limit[] = ["size", "rate"];

/** What this device carries for others, what others carry for it, and files of parcels. */
export function CourierSettings(): ReactNode {
  const roost = useRoost();
  const t = useT();
  const language = useLanguage();
  const [now, setNow] = useState<Courier | null>(null);
  useEffect(() => {
    void roost.client.call("courier", {}).then(setNow).catch(() => undefined);
  }, [roost]);
  const names = now?.couriers.map((id) => cleanName(roost.nameOf(id))).join(", ") ?? "";
  const set = (change: Partial<Courier>): Promise<boolean> => roost.attemptTo(async () => setNow(await roost.client.call("courier-set", change)));
  return (
    <>
      <p className="hint">{t("couriers.what")}</p>
      {now && (
        <>
          <Switch label={t("couriers.carry")} hint={t("couriers.carryHint")} on={now.carries} onChange={(on) => void set({ carries: on })} />
          {now.parcels > 0 && <p className="hint">{t("couriers.held.other", { n: now.parcels, size: fileSize(now.bytes, language), room: fileSize(now.size, language) })}</p>}
          <Switch label={t("couriers.use")} hint={t(now.couriers.length === 0 ? "couriers.nobody" : "couriers.useHint.other", { n: now.couriers.length, names })} on={now.uses} onChange={(on) => void set({ uses: on })} />
          {now.carries && <Limits key={JSON.stringify(now)} now={now} onSet={set} />}
        </>
      )}
      <ByFile />
    </>
  );
}

function shown(now: Courier, limit: Limit): string {
  return String(IN_MIB.includes(limit) ? Math.round(now[limit] / MIB) : now[limit]);
}

function Limits({ now, onSet }: { now: Courier; onSet: (change: Partial<Courier>) => Promise<boolean> }): ReactNode {
  const t = useT();
  const [typed, setTyped] = useState(() => Object.fromEntries(LIMITS.map((limit) => [limit, shown(now, limit)])) as Record<Limit, string>);
  const [wrong, setWrong] = useState(false);
  const changed = LIMITS.filter((limit) => typed[limit] !== shown(now, limit));
  const save = async (): Promise<void> => {
    const good = changed.every((limit) => /^\d{1,6}$/u.test(typed[limit].trim()) && Number(typed[limit]) >= 1);
    setWrong(!good);
    if (!good) return;
    const change = Object.fromEntries(changed.map((limit) => [limit, Number(typed[limit]) * (IN_MIB.includes(limit) ? MIB : 1)]));
    setWrong(!(await onSet(change)));
  };
  return (
    <form onSubmit={(event) => { event.preventDefault(); void save(); }}>
      <h3>{t("couriers.limits")}</h3>
      <div className="pair">
        {LIMITS.map((limit) => <Field key={limit} label={t(`couriers.${limit}`)} type="number" value={typed[limit]} onChange={(value) => setTyped((held) => ({ ...held, [limit]: value }))} />)}
      </div>
      {wrong && <p className="bad" role="alert">{t("couriers.badLimit")}</p>}
      {changed.length > 0 && <div className="dialog-actions"><Button type="submit">{t("settings.save")}</Button></div>}
    </form>
  );
}

/** What waits, in a file: written where the person says, read from where they choose it. */
function ByFile(): ReactNode {
  const roost = useRoost();
  const t = useT();
  const language = useLanguage();
  const input = useRef<HTMLInputElement>(null);
  const [to, setTo] = useState("");
  const [files, setFiles] = useState(true);
  const [busy, setBusy] = useState(false);
  const [result, setResult] = useState("");
  useEffect(() => {
    void roost.client
      .call("software-info", {})
      .then(({ downloads }) => downloads !== "" && setTo((typed) => typed || `${downloads}/${fileName()}`))
      .catch(() => undefined);
  }, [roost]);
  const working = async (work: () => Promise<string>): Promise<void> => {
    setBusy(true);
    setResult("");
    await roost.attemptTo(async () => setResult(await work()));
    setBusy(false);
  };
  const told = (done: CarryExported): string => {
    const key: Key = done.parcels === 0 ? "carry.nothing" : "carry.exported.other";
    return t(key, { n: done.parcels, path: done.path, size: fileSize(done.size, language), mine: done.mine });
  };
  const taken = (done: CarryImported): string => {
    const text = t("carry.imported", { mine: done.mine, kept: done.kept, dropped: done.dropped });
    return done.lost > 0 ? `${text} ${t("carry.lost", { lost: done.lost })}` : text;
  };
  const write = (): Promise<void> => working(async () => told(await roost.client.call("carry-export", { to: to.trim(), files })));
  const read = (file: File): Promise<void> =>
    working(async () => {
      const path = await upload(roost.client, { id: newUploadId(), file, picture: false }, new AbortController().signal, () => undefined);
      try {
        return taken(await roost.client.call("carry-import", { path }));
      } finally {
        await roost.client.call("upload-drop", { paths: [path] }).catch(() => undefined);
      }
    });
  const pick = (file: File | undefined): void => {
    if (file !== undefined) void read(file).then(() => roost.refreshConversations());
  };
  return (
    <section className="card" aria-label={t("carry.title")}>
      <h3>{t("carry.title")}</h3>
      <p className="hint">{t("carry.what")}</p>
      <form onSubmit={(event) => { event.preventDefault(); void write(); }}>
        <Field label={t("carry.to")} value={to} onChange={setTo} />
        <Switch label={t("carry.files")} on={files} onChange={setFiles} />
        <div className="dialog-actions">
          <Button disabled={busy} onPress={() => input.current?.click()}>{t("carry.import")}</Button>
          <Button kind="primary" type="submit" disabled={busy || !to.trim().startsWith("/")}>{t(busy ? "common.wait" : "carry.export")}</Button>
        </div>
      </form>
      <input ref={input} type="file" hidden data-testid="parcels" onChange={(event) => { pick(event.target.files?.[0]); event.target.value = ""; }} />
      <p role="status">{result}</p>
    </section>
  );
}

function fileName(): string {
  return `Roost-${new Date().toISOString().slice(0, 16).replace(/[T:]/gu, "-")}.parcels`;
}
