// One line above Airflow's home page: how Palate is, with a link to its pages. Airflow
// gives React, Chakra and the router; whoever may not see the pages sees nothing.
globalThis["Palate line"] = () => {
  const SECONDS_BETWEEN_LOOKS = 30;
  const STATUS = { good: "success", warn: "warning", bad: "error" };
  const { createElement: h, useEffect, useState } = globalThis.React;
  const { Alert } = globalThis.ChakraUI;
  const { Link } = globalThis.ReactRouterDOM;
  const [line, setLine] = useState(null);

  useEffect(() => {
    let isGone = false;
    const look = async () => {
      if (document.visibilityState !== "visible") return;
      const found = await ask();
      if (!isGone && found !== undefined) setLine(found);
    };
    const ask = async () => {
      try {
        const answer = await fetch(new URL("palate/api/v1/line", document.baseURI));
        if ([401, 403, 404].includes(answer.status)) return null;
        const read = await answer.json();
        return answer.ok ? read : { state: "bad", sentence: read.error };
      } catch {
        return undefined; // Airflow itself does not answer: what is shown stays
      }
    };
    look();
    const timer = setInterval(look, SECONDS_BETWEEN_LOOKS * 1000);
    document.addEventListener("visibilitychange", look);
    return () => {
      isGone = true;
      clearInterval(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, []);

  if (!line) return null;
  return h(
    Alert.Root,
    { status: STATUS[line.state] ?? "info", size: "sm", role: "status", "data-testid": "palate-line" },
    h(Alert.Indicator, null),
    h(Alert.Title, null, h(Link, { to: "/plugin/palate" }, `Palate: ${line.sentence}`)),
  );
};
