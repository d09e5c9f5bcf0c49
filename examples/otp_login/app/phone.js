// Asks each second whether there is news, and shows it.
const seen = document.body.dataset.version;
setInterval(async () => {
  try {
    const answer = await fetch("/phone/version");
    if (answer.ok && (await answer.text()) !== seen) location.reload();
  } catch {
    // The site is down, or this page is on its way out.
  }
}, 1000);
