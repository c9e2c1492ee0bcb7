// SPDX-License-Identifier: MIT OR Apache-2.0

//! The account: what everybody saw, what the device says, and whether that is the same.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use sigrt::Stats;

use super::fault::Vanished;
use super::{Plan, compare};
use crate::cli::Global;
use crate::show;

/// What one subscriber saw.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) events: u64,
    pub(super) lost: u64,
    pub(super) gaps: u64,
    /// Losses are no discrepancy.
    pub(super) may_lose: bool,
    /// Its thread has died, and another one has gone on.
    pub(super) failed_over: bool,
    pub(super) stats: Option<Stats>,
    pub(super) discrepancies: Vec<String>,
}

impl Account {
    /// Events that are accounted for.
    pub(super) fn handled(&self) -> u64 {
        self.events + self.lost
    }
}

/// What came of it all.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) place: &'static str,
    pub(super) posted: u64,
    pub(super) elapsed: Duration,
    pub(super) accounts: Vec<Account>,
    pub(super) vanished: Option<Vanished>,
    pub(super) forged: Option<u64>,
    /// That concern no subscriber.
    discrepancies: Vec<String>,
}

impl Outcome {
    /// Compares everything with everything.
    pub(super) fn judge(&mut self, plan: &Plan<'_>) {
        for account in &mut self.accounts {
            match account.stats {
                Some(stats) => compare(account, stats, self.posted),
                None => account
                    .discrepancies
                    .push("there are no counters".to_owned()),
            }
            if account.lost > 0 && !account.may_lose {
                let text = format!("{} lost, though producers waited", account.lost);
                account.discrepancies.push(text);
            }
        }
        if self.posted > plan.arguments.events {
            let text = format!("{} posted, more than was asked for", self.posted);
            self.discrepancies.push(text);
        }
        if let Some(vanished) = &mut self.vanished {
            self.discrepancies.append(&mut vanished.discrepancies);
        }
    }

    fn wrong(&self) -> usize {
        let each = self.accounts.iter().map(|a| a.discrepancies.len());
        each.sum::<usize>() + self.discrepancies.len()
    }

    /// Prints the account; whether it is right.
    pub(super) fn print(&self, global: &Global) -> Result<bool> {
        for text in self.discrepancies.iter().take(10) {
            show::complaint(text);
        }
        for (number, account) in self.accounts.iter().enumerate() {
            for text in account.discrepancies.iter().take(10) {
                show::complaint(&format!("subscriber {number}: {text}"));
            }
        }
        let wrong = self.wrong();
        if global.json {
            show::json(&self.as_json())?;
            return Ok(wrong == 0);
        }
        let heads = [
            "subscriber",
            "delivered",
            "lost",
            "gaps",
            "signals",
            "refused",
            "fallbacks",
            "coalesced",
            "stale",
            "most queued",
        ];
        let rows: Vec<_> = self
            .accounts
            .iter()
            .enumerate()
            .map(|(number, account)| {
                let stats = account.stats.map(|stats| *stats);
                let stats = stats.unwrap_or_else(sigrt::abi::Stats::zeroed);
                let mut row = vec![if account.failed_over {
                    format!("{number} (thread died)")
                } else {
                    number.to_string()
                }];
                row.extend(
                    [
                        account.events,
                        account.lost,
                        account.gaps,
                        stats.signals_sent,
                        stats.signals_refused,
                        stats.fallbacks,
                        stats.coalesced,
                        stats.stale,
                        stats.high_water,
                    ]
                    .map(|count| count.to_string()),
                );
                row
            })
            .collect();
        show::line(show::table(&heads, &rows).trim_end())?;
        if let Some(vanished) = &self.vanished {
            show::line(&format!(
                "a subscriber vanished {} times, with {} events received and {} left behind",
                vanished.times, vanished.events, vanished.left
            ))?;
        }
        if let Some(forged) = self.forged {
            show::line(&format!("{forged} signals were forged"))?;
        }
        let delivered: u64 = self.accounts.iter().map(|account| account.events).sum();
        let lost: u64 = self.accounts.iter().map(|account| account.lost).sum();
        let rate = delivered as f64 / self.elapsed.as_secs_f64();
        show::line(&format!(
            "stress: {} posted on the {}, {delivered} delivered ({rate:.0}/s), {lost} lost, {wrong} discrepancies",
            self.posted, self.place
        ))?;
        Ok(wrong == 0)
    }

    fn as_json(&self) -> serde_json::Value {
        let subscribers: Vec<_> = self
            .accounts
            .iter()
            .map(|account| {
                let stats = account.stats.map(|stats| *stats);
                let stats = stats.unwrap_or_else(sigrt::abi::Stats::zeroed);
                json!({
                    "delivered": account.events,
                    "lost": account.lost,
                    "gaps": account.gaps,
                    "signals_sent": stats.signals_sent,
                    "signals_refused": stats.signals_refused,
                    "fallbacks": stats.fallbacks,
                    "coalesced": stats.coalesced,
                    "spurious": stats.spurious,
                    "stale": stats.stale,
                    "failovers": stats.failovers,
                    "high_water": stats.high_water,
                    "discrepancies": account.discrepancies,
                })
            })
            .collect();
        json!({
            "place": self.place,
            "posted": self.posted,
            "delivered": self.accounts.iter().map(|account| account.events).sum::<u64>(),
            "lost": self.accounts.iter().map(|account| account.lost).sum::<u64>(),
            "discrepancies": self.wrong(),
            "discrepancies_elsewhere": self.discrepancies,
            "seconds": self.elapsed.as_secs_f64(),
            "subscribers": subscribers,
            "vanished": self.vanished.as_ref().map(|vanished| json!({
                "times": vanished.times,
                "received": vanished.events,
                "left_behind": vanished.left,
            })),
            "forged": self.forged,
        })
    }
}
