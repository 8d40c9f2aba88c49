// In Streamlit's page, before Streamlit: says why a page stays empty and how long a refused upload must wait, and
// tells conference mode that somebody is there.
(() => {
    const PATIENCE = 10000; // milliseconds
    const box = document.createElement("div");
    box.setAttribute("role", "alert");
    box.style.cssText =
        "position: fixed; inset: 1rem 1rem auto; margin: auto; max-width: 40rem; z-index: 999999; padding: 1rem; " +
        "font: 1rem/1.5 system-ui, sans-serif; color: #1b2528; background: #fff; border: 2px solid #0b6b74; border-radius: 0.4rem";
    const say = text => {
        box.textContent = text;
        document.body.append(box);
    };

    const isConnected = () => document.querySelector("[data-test-connection-state=CONNECTED]");
    const isEmpty = () => !isConnected() || document.querySelector("[data-testid=stAppSkeleton]");
    const why = async () => {
        if (isConnected()) return "The server is busy. This page appears as soon as it answers.";
        const answers = await fetch(new URL("_stcore/health", new URL(".", document.baseURI))).then(
            answer => answer.ok,
            () => false,
        );
        return answers
            ? "This page cannot connect. The server answers, but WebSocket connections to it are blocked: by a proxy, " +
                  "a firewall or a browser extension. Try another network, or ask whoever runs this one to allow them."
            : "The server does not answer. Check the network, then reload this page.";
    };
    const began = performance.now();
    let hasSpoken = false;
    const look = setInterval(async () => {
        if (!isEmpty()) {
            clearInterval(look);
            if (hasSpoken) box.remove();
        } else if (!hasSpoken && performance.now() - began > PATIENCE) {
            hasSpoken = true;
            const text = await why();
            if (isEmpty()) say(text);
        }
    }, 500);

    // At most one message in a while; what is done meanwhile is told at its end.
    const WHILE = 4000; // milliseconds
    let toldAt = -WHILE;
    let waiting = 0;
    const tellThatSomebodyIsThere = () => {
        waiting = 0;
        toldAt = performance.now();
        document.querySelector(".st-key-somebody_is_there button")?.click(); // in conference mode only
    };
    for (const doing of ["pointerdown", "keydown", "touchstart", "touchmove", "wheel", "scroll", "input"])
        addEventListener(
            doing,
            event => {
                if (!event.isTrusted || waiting) return;
                waiting = setTimeout(tellThatSomebodyIsThere, Math.max(0, toldAt + WHILE - performance.now()));
            },
            { capture: true, passive: true },
        );

    // A diagnosis that was typed and left without choosing is handed to the hidden field beside the list. Not before
    // the pointer is up: what then moves on the page would move from under a click.
    const LIST = "[role=listbox], [data-baseweb=popover]";
    let isDown = false;
    let isDownInList = false;
    let left = null;
    const hand = () => {
        if (!left) return;
        const { field, text } = left;
        left = null;
        Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(field, text);
        field.dispatchEvent(new Event("input", { bubbles: true }));
        queueMicrotask(() => field.dispatchEvent(new FocusEvent("focusout", { bubbles: true })));
    };
    addEventListener(
        "pointerdown",
        event => {
            isDown = true;
            isDownInList = Boolean(event.target.closest?.(LIST));
        },
        true,
    );
    addEventListener("pointerup", () => { isDown = false; hand(); }, true);
    addEventListener("pointercancel", () => { isDown = false; hand(); }, true);
    addEventListener(
        "focusout",
        event => {
            const box = event.target.closest?.("[class*=st-key-diagnosis_]");
            const field = box?.querySelector("[class*=st-key-typed_] input");
            const isInList = event.relatedTarget?.closest?.(LIST) || (isDown && isDownInList);
            const text = (event.target.value || "").trim();
            if (!field || event.target === field || isInList || !text) return;
            left = { field, text };
            if (!isDown) hand();
        },
        true,
    );

    // Leaving a field sends what was typed in it, also when the page is reloaded.
    addEventListener("beforeunload", () => document.activeElement?.blur());

    const send = XMLHttpRequest.prototype.send;
    XMLHttpRequest.prototype.send = function (...given) {
        this.addEventListener("load", () => {
            const isText = this.responseType === "" || this.responseType === "text";
            const isOurs = this.status >= 400 && isText && this.responseText.startsWith("Not uploaded");
            if (!isOurs && this.status !== 429) return; // 429: a proxy's
            say(isOurs ? this.responseText : "Not uploaded: too many files in a short time. Try again in a minute.");
            setTimeout(() => box.remove(), PATIENCE);
        });
        return send.apply(this, given);
    };
})();
