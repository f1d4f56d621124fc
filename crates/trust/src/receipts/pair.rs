use alloc::vec::Vec;

use repute_base::{Fixed, Mono, Wall};
use repute_protocol::{Equivocation, Receipt, Service};

/// One day, for the cap of the global graph.
const DAY_MS: u64 = 86_400_000;
/// Bytes that count as one unit of an amount.
const MIB: f64 = 1_048_576.0;

/// All that is known of what `b` did for `a`: the latest receipt of each service, and what they
/// are worth in the global graph.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    accounts: Vec<Account>,
    /// What the days before `day` came to.
    pub(crate) settled: Fixed,
    /// The last day on which anything was merged, in days since the Unix epoch.
    pub(crate) day: u64,
    /// When anything was merged last.
    pub(crate) touched: Wall,
    /// When a receipt was last passed on unasked.
    pub(crate) shared: Option<Mono>,
}

/// One service of a pair.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) service: Service,
    /// The highest number that was signed or seen.
    pub(crate) spent: u64,
    /// The amount at the beginning of the day.
    pub(crate) base: u64,
    pub(crate) latest: Option<Receipt>,
    /// What was received since the latest receipt, where we are `a`. Not stored: what a crash
    /// takes was not signed.
    pub(crate) pending: u64,
}

/// What merging a receipt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Merged {
    /// It is the latest now.
    Newer,
    /// Known, or older than what is known.
    Known,
    /// It contradicts the latest under the same number.
    Fault(Equivocation),
}

impl Pair {
    pub(crate) fn new(touched: Wall) -> Self {
        Self {
            accounts: Vec::new(),
            settled: Fixed::ZERO,
            day: touched.as_millis() / DAY_MS,
            touched,
            shared: None,
        }
    }

    pub(crate) fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.iter()
    }

    pub(crate) fn account(&self, service: Service) -> Option<&Account> {
        self.accounts.iter().find(|one| one.service == service)
    }

    pub(crate) fn latest(&self, service: Service) -> Option<&Receipt> {
        self.account(service)?.latest.as_ref()
    }

    /// The account of a service, made if there is none; at most one for each service.
    pub(crate) fn account_mut(&mut self, service: Service) -> &mut Account {
        let place = self.accounts.iter().position(|one| one.service == service);
        let place = place.unwrap_or_else(|| {
            self.accounts.push(Account {
                service,
                spent: 0,
                base: 0,
                latest: None,
                pending: 0,
            });
            self.accounts.len() - 1
        });
        #[allow(clippy::indexing_slicing, reason = "found or pushed just above")]
        &mut self.accounts[place]
    }

    /// Takes a proven receipt in: the greater number wins, the same receipt again is nothing, and
    /// another one under the same number is a fault of who numbers them.
    pub(crate) fn merge(&mut self, receipt: Receipt, time: Wall) -> Merged {
        let terms = receipt.terms;
        let latest = self.latest(terms.service).copied();
        if let Some(latest) = latest {
            if latest.terms.seq_ab == terms.seq_ab && latest.terms != terms {
                return Merged::Fault(Equivocation {
                    first: latest.proposal(),
                    second: receipt.proposal(),
                });
            }
            if latest.terms.seq_ab >= terms.seq_ab {
                return Merged::Known;
            }
        }
        self.roll(time);
        let account = self.account_mut(terms.service);
        account.spent = account.spent.max(terms.seq_ab);
        account.latest = Some(receipt);
        self.touched = self.touched.max(time);
        Merged::Newer
    }

    /// What `b` did for `a`, in units of the global graph: at most one for each day on which a
    /// receipt was merged, whatever the receipts say.
    pub(crate) fn weight(&self) -> Fixed {
        self.settled + self.today()
    }

    /// Closes the books of the last day, if another one has begun. Days never go back.
    fn roll(&mut self, time: Wall) {
        let day = time.as_millis() / DAY_MS;
        if day <= self.day {
            return;
        }
        self.settled = self.weight();
        self.day = day;
        for account in &mut self.accounts {
            let amount = account.latest.map_or(0, |latest| latest.terms.amount);
            account.base = account.base.max(amount);
        }
    }

    fn today(&self) -> Fixed {
        let values = self.accounts.iter().map(|account| {
            let amount = account.latest.map_or(0, |latest| latest.terms.amount);
            value(account.service, amount.saturating_sub(account.base))
        });
        values
            .fold(Fixed::ZERO, |sum, value| sum + value)
            .clamp(Fixed::ZERO, Fixed::ONE)
    }
}

/// log2(1 + units) / 10, at most 1: a unit is a MiB where bytes are counted.
pub(crate) fn value(service: Service, amount: u64) -> Fixed {
    let units = match service {
        Service::Transfer | Service::Relay => amount as f64 / MIB,
        Service::Messages | Service::Signing => amount as f64,
    };
    Fixed::from_f64(libm::log2(1.0 + units) / 10.0).clamp(Fixed::ZERO, Fixed::ONE)
}
