// Must never: show a key, or what was computed with it.
#include <fulmar/base/limits.hpp>
#include <fulmar/base/unique_fd.hpp>
#include <fulmar/host/authenticate.hpp>
#include <fulmar/host/execute.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace fulmar::host {

namespace {

using message = std::vector<std::byte>;

result<void> send_message(queue& q, message bytes, const deadline& until) {
    FULMAR_CHECK(execute_ok(q,
                            {.sqe = make_authentication(nvme::fctype::authentication_send,
                                                        static_cast<std::uint32_t>(bytes.size())),
                             .direction = transfer::to_controller,
                             .data = bytes},
                            until, "Authentication Send"));
    return {};
}

result<message> receive_message(queue& q, const deadline& until) {
    message bytes(limits::max_auth_bytes);
    FULMAR_CHECK(execute_ok(q,
                            {.sqe = make_authentication(nvme::fctype::authentication_receive,
                                                        static_cast<std::uint32_t>(bytes.size())),
                             .direction = transfer::from_controller,
                             .data = bytes},
                            until, "Authentication Receive"));
    return bytes;
}

std::uint16_t next_transaction() noexcept {
    static std::atomic<std::uint16_t> last{0};
    return ++last;
}

error with_remedy(error why) {
    if (why.code == errc::permission_denied && why.remedy.empty())
        why.remedy = "compare both sides' keys; the NQNs of host and subsystem count as well";
    return why;
}

}  // namespace

nvme::sqe make_authentication(nvme::fctype which, std::uint32_t bytes) noexcept {
    auto command = nvme::make_fabrics_command<nvme::authentication_command>(which, 0);
    command.spsp0 = nvme::auth_spsp;
    command.spsp1 = nvme::auth_spsp;
    command.secp = nvme::auth_secp_nvme;
    command.length_bytes = bytes;
    return nvme::to_sqe(command);
}

result<void> authenticate(queue& q, const security::dhchap_credentials& who,
                          const deadline& until) {
    security::dhchap_host exchange(who, next_transaction());
    FULMAR_CHECK(send_message(q, exchange.negotiate(), until));
    FULMAR_TRY(const message challenge, receive_message(q, until));
    auto reply = exchange.on_challenge(challenge);
    if (!reply) return tl::unexpected(with_remedy(reply.error()));
    FULMAR_CHECK(send_message(q, std::move(*reply), until));
    FULMAR_TRY(const message success, receive_message(q, until));
    auto end = exchange.on_success1(success);
    if (!end) {  // says so, unless the target has refused us itself
        (void)send_message(q, exchange.failure2(nvme::auth_failure::failed), until);
        return tl::unexpected(with_remedy(end.error()));
    }
    if (*end) FULMAR_CHECK(send_message(q, std::move(**end), until));
    return {};
}

result<std::uint16_t> join_queue(queue& q, const connect_parameters& p, const credentials& who,
                                 const deadline& until) {
    FULMAR_TRY(const reply got, connect_queue(q, p, until));
    if (!got.ok()) return tl::unexpected(explain_refusal(p, got.status(), got.dw0()));
    const bool asked = (got.dw0() & (nvme::authreq::atr | nvme::authreq::ascr)) != 0;
    if (asked && who == nullptr)
        return fail(errc::permission_denied,
                    fmt::format("Connect to {}: the target wants to know that we are {}", p.subnqn,
                                p.hostnqn),
                    {}, "give the host's key: --dhchap-key FILE");
    if (asked || (who != nullptr && who->controller_key))
        FULMAR_CHECK(authenticate(q, *who, until));
    return static_cast<std::uint16_t>(got.dw0() & 0xffffu);
}

result<security::secret> read_key_line(const std::string& path) {
    const unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return fail_errno("cannot open the key file", errno, path);
    security::secret text(limits::max_key_file_bytes);
    const ssize_t got = ::read(fd.get(), text.fill().data(), text.size());
    if (got < 0) return fail_errno("cannot read the key file", errno, path);
    const std::string_view all = text.reveal_text().substr(0, static_cast<std::size_t>(got));
    text.shrink(std::min(all.find_first_of(" \t\r\n"), all.size()));
    return text;
}

result<security::dhchap_key> read_key_file(const std::string& path) {
    FULMAR_TRY(const security::secret text, read_key_line(path));
    auto key = security::parse_dhchap_key(text.reveal_text());
    if (!key) key.error().where = path;
    return key;
}

result<security::tls_key> read_tls_key_file(const std::string& path) {
    FULMAR_TRY(const security::secret text, read_key_line(path));
    auto key = security::parse_tls_key(text.reveal_text());
    if (!key) key.error().where = path;
    return key;
}

}  // namespace fulmar::host
