import { useCallback, useEffect, useMemo, useState, type ReactNode } from "react";
import { I18nProvider } from "react-aria-components";
import { App } from "./App";
import { ApiError, Client, openSession } from "./api/client";
import type { HostState } from "./api/types";
import { LanguageContext, english, loadLanguage, useT, type Language } from "./i18n/i18n";
import { CreateProfile } from "./setup/CreateProfile";
import { Unlock } from "./setup/Unlock";
import { Roost, RoostContext } from "./state/roost";
import { DEFAULTS, type Choices } from "./state/preferences";
import { useStore } from "./state/store";
import { Toasts } from "./ui/Toasts";

type Where = { kind: "starting" } | { kind: "no session" } | { kind: "there"; client: Client; host: HostState };

const ALWAYS_OPEN: HostState = { state: "open", protection: "none", folder: "", keyring: false };

/** Before the messenger: is this browser let in, is there a profile, is it unlocked? */
export function Gate(): ReactNode {
  const [where, setWhere] = useState<Where>({ kind: "starting" });
  useEffect(() => {
    void begin().then(setWhere);
  }, []);
  const [choices, setChoices] = useState<Choices>(DEFAULTS);
  const language = useAppearance(choices);
  const there = where.kind === "there" ? where : null;
  const look = useCallback((host: HostState) => setWhere((now) => (now.kind === "there" ? { ...now, host } : now)), []);
  return (
    <LanguageContext value={language}>
      <I18nProvider locale={choices.direction === "rtl" || language.rtl ? "ar" : language.code}>
        {where.kind === "no session" && <NoSession />}
        {there?.host.state === "none" && <CreateProfile client={there.client} host={there.host} onDone={look} />}
        {there?.host.state === "locked" && <Unlock client={there.client} host={there.host} onDone={look} />}
        {there?.host.state === "open" && <Open client={there.client} host={there.host} onHost={look} onChoices={setChoices} />}
        <Toasts />
      </I18nProvider>
    </LanguageContext>
  );
}

let started: Promise<Where> | null = null;

/** Once per page: the code in the address works only once. */
function begin(): Promise<Where> {
  started ??= start();
  return started;
}

async function start(): Promise<Where> {
  const session = await openSession().catch(() => null);
  if (session === null) return { kind: "no session" };
  const client = new Client(session);
  try {
    return { kind: "there", client, host: await client.call("profile", {}) };
  } catch (error) {
    // An agent that was started without the app's host has its profile open for as long as it runs.
    if (error instanceof ApiError && error.status === 404) return { kind: "there", client, host: ALWAYS_OPEN };
    return { kind: "no session" };
  }
}

interface OpenProps {
  client: Client;
  host: HostState;
  onHost: (host: HostState) => void;
  onChoices: (choices: Choices) => void;
}

function Open({ client, host, onHost, onChoices }: OpenProps): ReactNode {
  const roost = useMemo(() => new Roost(client), [client]);
  const choices = useStore(roost.preferences.choices);
  useEffect(() => onChoices(choices), [choices, onChoices]);
  useEffect(() => {
    roost.onLocked = () => onHost({ ...host, state: "locked" });
    return roost.start();
  }, [roost, host, onHost]);
  const lock = host.protection === "passphrase" ? () => void roost.attemptTo(async () => onHost(await client.call("profile-lock", {}))) : null;
  return (
    <RoostContext value={roost}>
      <App host={host} onLock={lock} />
    </RoostContext>
  );
}

/** Language, direction, theme and size of text, on the page itself. */
function useAppearance(choices: Choices): Language {
  const [language, setLanguage] = useState<Language>(english);
  useEffect(() => {
    let current = true;
    void loadLanguage(choices.language).then((loaded) => current && setLanguage(loaded));
    return () => {
      current = false;
    };
  }, [choices.language]);
  useEffect(() => {
    const page = document.documentElement;
    page.lang = language.code;
    page.dir = choices.direction === "rtl" || language.rtl ? "rtl" : "ltr";
    page.dataset["theme"] = choices.theme;
    page.dataset["size"] = choices.textSize;
  }, [language, choices]);
  return language;
}

function NoSession(): ReactNode {
  const t = useT();
  return (
    <main className="gate">
      <div className="gate-card">
        <img src="/icon.svg" alt="" width="64" height="64" />
        <h1>Roost</h1>
        <p>{t("gate.spent")}</p>
        <p className="hint">{t("gate.spentHint")}</p>
      </div>
    </main>
  );
}
