//! The loop's face on the network: webhooks in, pages, data and metrics out.
//!
//! It never touches an engine: it shows what the loop published, and hands on what people ask for.
