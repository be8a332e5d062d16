#include "handle.hpp"

#include <fulmar/base/clock.hpp>

#include <fmt/format.h>
#include <libnbd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace fulmar::backend::nbd {

namespace {

// What libnbd says begins with the name of its function, which is no news to operators.
std::string libnbd_says() {
    std::string_view text = "out of memory";
    if (const char* const said = nbd_get_error(); said != nullptr) text = said;
    if (const auto colon = text.find(": "); text.starts_with("nbd_") && colon != text.npos)
        text.remove_prefix(colon + 2);
    return std::string(text);
}

tl::unexpected<error> unreachable(const nbd_options& options, const std::string& why) {
    return fail(errc::unavailable, fmt::format("{} cannot be used: {}", options.uri, why), "/uri",
                "start the server, or correct the URI");
}

bool set_up(nbd_handle* h, const nbd_options& options) noexcept {
    const bool tls = options.uri.starts_with("nbds");
    const auto set = [h](auto setter, const std::string& value) {
        return value.empty() || setter(h, value.c_str()) == 0;
    };
    return nbd_set_full_info(h, true) == 0 &&
           nbd_set_uri_allow_transports(
               h, LIBNBD_ALLOW_TRANSPORT_TCP | LIBNBD_ALLOW_TRANSPORT_UNIX) == 0 &&
           nbd_set_uri_allow_tls(h, tls ? LIBNBD_TLS_REQUIRE : LIBNBD_TLS_DISABLE) == 0 &&
           set(&nbd_set_tls_certificates, options.tls_certificates) &&
           set(&nbd_set_tls_psk_file, options.tls_psk_file) &&
           set(&nbd_set_tls_username, options.tls_username);
}

result<handle> connect_once(const nbd_options& options, duration limit) {
    const monotonic_clock clock;
    const instant end = clock.now() + limit;
    handle h(nbd_create());
    if (h == nullptr) return fail(errc::no_memory, libnbd_says());
    if (!set_up(h.get(), options)) return unreachable(options, libnbd_says());
    if (nbd_aio_connect_uri(h.get(), options.uri.c_str()) != 0)
        return unreachable(options, libnbd_says());
    while (nbd_aio_is_ready(h.get()) != 1) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - clock.now()).count();
        if (left <= 0)
            return fail(errc::timed_out, fmt::format("{} does not answer", options.uri), "/uri");
        if (nbd_aio_is_closed(h.get()) == 1)
            return unreachable(options, "the server closed the connection");
        if (nbd_poll(h.get(), static_cast<int>(left)) == -1)
            return unreachable(options, libnbd_says());
    }
    return h;
}

std::string taken(char* text) {
    std::string out = text != nullptr ? text : "";
    std::free(text);
    return out;
}

std::uint64_t told(std::int64_t value, std::uint64_t otherwise) {
    return value > 0 ? static_cast<std::uint64_t>(value) : otherwise;
}

result<export_facts> facts_of(nbd_handle* h, const nbd_options& options) {
    export_facts facts;
    const std::int64_t size = nbd_get_size(h);
    if (size < 0) return unreachable(options, libnbd_says());
    facts.size_bytes = static_cast<std::uint64_t>(size);
    facts.read_only = nbd_is_read_only(h) == 1;
    facts.can_flush = nbd_can_flush(h) == 1;
    facts.can_fua = nbd_can_fua(h) == 1;
    facts.can_trim = nbd_can_trim(h) == 1;
    facts.can_zero = nbd_can_zero(h) == 1;
    facts.multi_conn = nbd_can_multi_conn(h) == 1;
    facts.least_block = told(nbd_get_block_size(h, LIBNBD_SIZE_MINIMUM), 1);
    facts.preferred_block = told(nbd_get_block_size(h, LIBNBD_SIZE_PREFERRED), 0);
    facts.payload_bytes = std::min<std::uint64_t>(
        told(nbd_get_block_size(h, LIBNBD_SIZE_MAXIMUM), limits::nbd_payload_bytes),
        limits::nbd_payload_bytes);
    facts.name = taken(nbd_get_canonical_export_name(h));
    facts.description = taken(nbd_get_export_description(h));
    return facts;
}

}  // namespace

void handle_closer::operator()(nbd_handle* h) const noexcept { nbd_close(h); }

result<void> check_uri(const nbd_options& options) {
    constexpr std::array<std::string_view, 4> schemes{"nbd://", "nbds://", "nbd+unix://",
                                                      "nbds+unix://"};
    const bool known = std::any_of(schemes.begin(), schemes.end(), [&](std::string_view scheme) {
        return options.uri.starts_with(scheme);
    });
    if (!known)
        return fail(errc::invalid_argument, fmt::format("{} is no NBD URI", options.uri), "/uri",
                    "such as nbd://192.0.2.7/disk0 or nbd+unix:///disk0?socket=/run/nbd");
    const bool wants_tls = !options.tls_certificates.empty() || !options.tls_psk_file.empty() ||
                           !options.tls_username.empty();
    if (wants_tls && !options.uri.starts_with("nbds"))
        return fail(errc::invalid_argument, "TLS is configured, and the URI does not ask for it",
                    "/uri", "say nbds:// or nbds+unix://");
    return {};
}

result<opened_export> connect(const nbd_options& options, std::size_t wanted) {
    opened_export made;
    FULMAR_TRY(handle first, connect_once(options, limits::nbd_connecting));
    FULMAR_TRY(made.facts, facts_of(first.get(), options));
    made.handles.push_back(std::move(first));
    if (!made.facts.multi_conn) return made;
    while (made.handles.size() < wanted) {
        auto more = connect_once(options, limits::nbd_further_connection);
        if (!more) {
            made.shortage = fmt::format("the server takes {} of {} connections ({})",
                                        made.handles.size(), wanted, more.error().message);
            break;
        }
        FULMAR_TRY(const export_facts same, facts_of(more->get(), options));
        if (same.size_bytes != made.facts.size_bytes || !same.multi_conn)
            return unreachable(options, "it says something else on each connection");
        made.handles.push_back(std::move(*more));
    }
    return made;
}

}  // namespace fulmar::backend::nbd
