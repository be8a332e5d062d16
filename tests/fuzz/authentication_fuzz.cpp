// fuzz-links: nvme security
// Messages of DH-HMAC-CHAP, as a host that lies would send them: the controller's side must end in
// a state of its table, never prove a host that does not have the key, and never send more than
// fits. And texts of keys: what is read is written back as it was.
#include <fulmar/security/dhchap_host.hpp>
#include <fulmar/security/dhchap_key.hpp>
#include <fulmar/security/dhchap_transaction.hpp>
#include <fulmar/security/key_source.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>
#include <vector>

namespace {

using namespace fulmar;
using security::dhchap_state;
using security::dhchap_work;

constexpr std::string_view fuzz_key = "DHHC-1:00:ia6zGodOr4SEG0Zzaw398rpY0wqipUWj4jWjUh4HWUz6aQ2n:";

void require(bool condition) {
    if (!condition) std::abort();
}

class one_key final : public security::key_source {
  public:
    security::key_state state_of(std::string_view) const noexcept override {
        return security::key_state::usable;
    }
    result<std::vector<security::dhchap_key>> find(std::string_view) const override {
        std::vector<security::dhchap_key> all;
        all.push_back(*security::parse_dhchap_key(fuzz_key));
        return all;
    }
};

void judge_key(std::string_view text) {
    const auto key = security::parse_dhchap_key(text);
    if (!key) return;
    require(security::write_dhchap_key(*key).reveal_text() == text);
}

/// Each message: an operation, a length, and so many bytes. Operation bit 0: read first; bit 1: the
/// bytes are put over a right message; bit 2: the host falls silent.
void converse(std::span<const std::byte> input) {
    const one_key keys;
    security::dhchap_demand demand;
    demand.policy.groups = {nvme::dhchap_group::null};  // others cost milliseconds each
    demand.host_nqn = "nqn.2014-08.org.x:h";
    demand.subsystem_nqn = "nqn.2026-11.io.fulmar:f";
    demand.host_key = demand.controller_key = "k";
    security::dhchap_credentials liar;
    liar.host_nqn = demand.host_nqn;
    liar.subsystem_nqn = demand.subsystem_nqn;
    liar.host_key =
        *security::parse_dhchap_key("DHHC-1:01:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAl7OaH:");
    liar.policy.groups = demand.policy.groups;
    security::dhchap_host host(liar, 7);
    security::dhchap_transaction target;
    std::vector<std::byte> last;
    while (input.size() >= 2 && target.state() != dhchap_state::ended) {
        const auto how = std::to_integer<unsigned>(input[0]);
        const std::size_t bytes =
            std::min(std::to_integer<std::size_t>(input[1]), input.size() - 2);
        const auto said = input.subspan(2, bytes);
        input = input.subspan(2 + bytes);
        if ((how & 4u) != 0 && security::awaits_host(target.state())) {
            target.expire();
            continue;
        }
        if ((how & 1u) != 0) {
            const auto read = target.read();
            require(read.size() <= limits::max_auth_bytes);
            last.assign(read.begin(), read.end());
            continue;
        }
        std::vector<std::byte> message(said.begin(), said.end());
        if ((how & 2u) != 0) {
            auto reply = host.on_challenge(last);
            message = reply ? std::move(*reply) : host.negotiate();
            for (std::size_t i = 0; i + 1 < said.size(); i += 2)
                message[std::to_integer<std::size_t>(said[i]) % message.size()] ^= said[i + 1];
        }
        switch (target.on_message(message, demand)) {
            case dhchap_work::none: continue;
            case dhchap_work::prepare: target.prepare(keys); break;
            case dhchap_work::check: target.check(keys); break;
        }
        target.done();
    }
    require(!target.was_proven());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    judge_key({reinterpret_cast<const char*>(data), size});
    converse(std::as_bytes(std::span(data, size)));
    return 0;
}
