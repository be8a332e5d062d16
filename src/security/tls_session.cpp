// Must never: log or report any part of a key.
#include "tls_hello.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/security/tls_session.hpp>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

namespace fulmar::security {

void tls_session::free_ssl::operator()(ssl_st* ssl) const noexcept { SSL_free(ssl); }

/// What OpenSSL calls, with the session that it is about.
struct tls_callbacks {
    static tls_session& of(SSL* ssl) noexcept {
        return *static_cast<tls_session*>(SSL_get_app_data(ssl));
    }
    static tls_session& of(BIO* bio) noexcept {
        return *static_cast<tls_session*>(BIO_get_data(bio));
    }

    static int bio_read(BIO* bio, char* into, int length) noexcept {
        tls_session& self = of(bio);
        BIO_clear_retry_flags(bio);
        const tls_io got = self.wire_.receive_records(
            {reinterpret_cast<std::byte*>(into), static_cast<std::size_t>(length)});
        if (got.what == tls_io::outcome::moved) return static_cast<int>(got.bytes);
        if (got.what == tls_io::outcome::would_block) {
            BIO_set_retry_read(bio);
            return -1;
        }
        self.wire_ended_ = true;
        return 0;
    }
    static int bio_write(BIO* bio, const char* from, int length) noexcept {
        BIO_clear_retry_flags(bio);
        const std::span bytes(reinterpret_cast<const std::byte*>(from),
                              static_cast<std::size_t>(length));
        return of(bio).wire_.put_records(bytes) ? length : -1;
    }
    static long bio_control(BIO* bio, int what, long, void*) noexcept {
        if (what == BIO_CTRL_EOF) return of(bio).wire_ended_ ? 1 : 0;
        return what == BIO_CTRL_FLUSH ? 1 : 0;
    }

    static int on_client_hello(SSL* ssl, int* alert, void*) noexcept try {
        tls_session& self = of(ssl);
        const unsigned char* data = nullptr;
        std::size_t length = 0;
        if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_psk, &data, &length) != 1) {
            *alert = SSL_AD_MISSING_EXTENSION;
            self.why_ = "the peer offers no pre-shared key";
            return SSL_CLIENT_HELLO_ERROR;
        }
        if (!self.choose_key({reinterpret_cast<const std::byte*>(data), length})) {
            *alert = SSL_AD_UNKNOWN_PSK_IDENTITY;
            self.why_ = "the peer offers no identity that is known here";
            return SSL_CLIENT_HELLO_ERROR;
        }
        // OpenSSL would choose the suite first, and then drop a key of the other hash in silence.
        if (SSL_set_ciphersuites(ssl, to_string(self.key_.suite)) == 1)
            return SSL_CLIENT_HELLO_SUCCESS;
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    } catch (const std::exception&) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }

    static SSL_SESSION* make_session(SSL* ssl, const tls_psk& key) noexcept {
        const std::array<unsigned char, 2> id{0x13, static_cast<unsigned char>(key.suite)};
        const SSL_CIPHER* const cipher = SSL_CIPHER_find(ssl, id.data());
        SSL_SESSION* const made = SSL_SESSION_new();
        const auto bytes = key.key.reveal();
        if (made == nullptr || cipher == nullptr ||
            SSL_SESSION_set1_master_key(made, reinterpret_cast<const unsigned char*>(bytes.data()),
                                        bytes.size()) != 1 ||
            SSL_SESSION_set_cipher(made, cipher) != 1 ||
            SSL_SESSION_set_protocol_version(made, TLS1_3_VERSION) != 1) {
            SSL_SESSION_free(made);
            return nullptr;
        }
        return made;
    }

    static int find_psk(SSL* ssl, const unsigned char* identity, std::size_t length,
                        SSL_SESSION** found) noexcept {
        const tls_session& self = of(ssl);
        *found = nullptr;
        const std::string_view offered(reinterpret_cast<const char*>(identity), length);
        if (!self.chosen_ || offered != self.key_.identity) return 1;
        *found = make_session(ssl, self.key_);
        return *found != nullptr ? 1 : 0;
    }

    static int use_psk(SSL* ssl, const EVP_MD*, const unsigned char** identity, std::size_t* length,
                       SSL_SESSION** used) noexcept {
        const tls_session& self = of(ssl);
        *used = make_session(ssl, self.key_);
        *identity = reinterpret_cast<const unsigned char*>(self.key_.identity.data());
        *length = self.key_.identity.size();
        return *used != nullptr ? 1 : 0;
    }

    static void on_message(int sent, int, int type, const void* bytes, std::size_t length, SSL* ssl,
                           void*) noexcept {
        of(ssl).note_message(sent != 0, type, {static_cast<const std::byte*>(bytes), length});
    }
};

namespace {

struct free_context {
    void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};
using context_pointer = std::unique_ptr<SSL_CTX, free_context>;

// From the size of a record on, one call of the wire brings so much.
constexpr std::size_t read_buffer_bytes = 33 * 1024;
constexpr std::uint32_t updates_in_a_row = 16;

const BIO_METHOD* wire_method() noexcept {
    static const BIO_METHOD* const method = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
        if (made == nullptr) return made;
        BIO_meth_set_read(made, &tls_callbacks::bio_read);
        BIO_meth_set_write(made, &tls_callbacks::bio_write);
        BIO_meth_set_ctrl(made, &tls_callbacks::bio_control);
        return made;
    }();
    return method;
}

context_pointer make_context(bool server) noexcept {
    context_pointer made(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()));
    SSL_CTX* const context = made.get();
    if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set1_groups_list(context, "X25519:P-256") != 1 ||
        SSL_CTX_set_num_tickets(context, 0) != 1)
        return {};
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_early_data(context, 0);
    SSL_CTX_set_recv_max_early_data(context, 0);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, read_buffer_bytes);
    SSL_CTX_set_msg_callback(context, &tls_callbacks::on_message);
    if (server) {
        SSL_CTX_set_client_hello_cb(context, &tls_callbacks::on_client_hello, nullptr);
        SSL_CTX_set_psk_find_session_callback(context, &tls_callbacks::find_psk);
    } else {
        SSL_CTX_set_psk_use_session_callback(context, &tls_callbacks::use_psk);
    }
    return made;
}

// Contexts do not change once they are made; connections of any thread share them.
SSL_CTX* shared_context(bool server) noexcept {
    static const context_pointer of_server = make_context(true);
    static const context_pointer of_client = make_context(false);
    return server ? of_server.get() : of_client.get();
}

std::string openssl_says() {
    const unsigned long code = ERR_peek_last_error();
    const char* const reason = ERR_reason_error_string(code);
    std::string text = reason != nullptr ? reason : "the connection was cut";
    ERR_clear_error();
    return text;
}

}  // namespace

result<void> tls_session::open_side(bool server) {
    SSL_CTX* const context = shared_context(server);
    if (context == nullptr || wire_method() == nullptr)
        return fail(errc::no_memory, "OpenSSL cannot do TLS 1.3");
    ssl_.reset(SSL_new(context));
    BIO* const bio = BIO_new(wire_method());
    if (ssl_ == nullptr || bio == nullptr) {
        BIO_free(bio);
        return fail(errc::no_memory, "there is no memory for a TLS session");
    }
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_app_data(ssl_.get(), this);
    if (server)
        SSL_set_accept_state(ssl_.get());
    else
        SSL_set_connect_state(ssl_.get());
    if (!server && SSL_set_ciphersuites(ssl_.get(), to_string(key_.suite)) != 1)
        return fail(errc::no_memory, "OpenSSL does not have the cipher of the key");
    return {};
}

result<std::unique_ptr<tls_session>> tls_session::accept(tls_wire& wire,
                                                         const tls_psk_finder& keys) {
    std::unique_ptr<tls_session> made(new tls_session(wire, &keys));
    FULMAR_CHECK(made->open_side(true));
    return made;
}

result<std::unique_ptr<tls_session>> tls_session::connect(tls_wire& wire, tls_psk key) {
    std::unique_ptr<tls_session> made(new tls_session(wire, nullptr));
    made->key_ = std::move(key);
    FULMAR_CHECK(made->open_side(false));
    return made;
}

tls_session::~tls_session() = default;

// The identities in the host's order. A second ClientHello, after a retry, must offer the same.
bool tls_session::choose_key(std::span<const std::byte> extension) {
    if (chosen_) return true;
    const auto offered = read_offered_psks(extension);
    if (!offered) return false;
    for (std::size_t i = 0; i < offered->identities.size(); ++i) {
        std::vector<tls_psk> known = keys_->find(offered->identities[i]);
        if (known.empty()) continue;
        const auto own = std::find_if(known.begin(), known.end(), [&](const tls_psk& one) {
            return is_bound_by(one, hello_, offered->binders_bytes, offered->binders[i]);
        });
        key_ = std::move(own != known.end() ? *own : known.front());  // wrong: OpenSSL says so
        chosen_ = true;
        return true;
    }
    return false;
}

// Of every record and message that passes. Not a byte of what hosts send is in these.
void tls_session::note_message(bool sent, int type, std::span<const std::byte> message) noexcept {
    if (type == SSL3_RT_HEADER) {
        ++(sent ? sent_ : received_);
        return;
    }
    if (type != SSL3_RT_HANDSHAKE || message.empty()) return;
    const auto kind = std::to_integer<int>(message.front());
    if (kind == SSL3_MT_KEY_UPDATE) {
        (sent ? sent_ : received_) = 0;
        updates_ += sent ? 0 : 1;
    }
    if (kind != SSL3_MT_CLIENT_HELLO || sent || open_ || chosen_) return;
    try {
        hello_.assign(message.begin(), message.end());
    } catch (const std::exception&) {  // then its binder fits no key
        hello_.clear();
    }
}

tls_io tls_session::after(int outcome, std::size_t bytes) noexcept {
    if (outcome == 1) return {.what = tls_io::outcome::moved, .bytes = bytes};
    switch (SSL_get_error(ssl_.get(), outcome)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE: return {};
        case SSL_ERROR_ZERO_RETURN: return {.what = tls_io::outcome::ended};
        default: break;
    }
    broken_ = true;
    try {
        std::string text = wire_ended_ ? "the connection was cut" : openssl_says();
        if (why_.empty()) why_ = std::move(text);
    } catch (const std::exception&) {  // no memory for the words
    }
    ERR_clear_error();
    return {.what = wire_ended_ ? tls_io::outcome::ended : tls_io::outcome::broken};
}

tls_io tls_session::shake_hands() noexcept {
    if (broken_) return {.what = tls_io::outcome::broken};
    ERR_clear_error();
    const tls_io done = after(SSL_do_handshake(ssl_.get()), 0);
    if (done.what != tls_io::outcome::moved) return done;
    if (SSL_session_reused(ssl_.get()) != 1) {  // no key of ours was used: nobody can be at the
        broken_ = true;                         // other end who should
        return {.what = tls_io::outcome::broken};
    }
    open_ = true;
    hello_ = {};
    return done;
}

tls_io tls_session::read(std::span<std::byte> into) noexcept {
    if (broken_) return {.what = tls_io::outcome::broken};
    ERR_clear_error();
    std::size_t got = 0;
    const tls_io done = after(SSL_read_ex(ssl_.get(), into.data(), into.size(), &got), 0);
    if (updates_ > updates_in_a_row) {
        broken_ = true;
        return {.what = tls_io::outcome::broken};
    }
    if (got != 0) updates_ = 0;
    // The answer to a KeyUpdate leaves with the next record; there may be none.
    std::size_t none = 0;
    if (!broken_ && SSL_get_key_update_type(ssl_.get()) != SSL_KEY_UPDATE_NONE)
        SSL_write_ex(ssl_.get(), "", 0, &none);
    return {.what = done.what, .bytes = got};
}

tls_io tls_session::write(std::span<const std::byte> from) noexcept {
    if (broken_) return {.what = tls_io::outcome::broken};
    ERR_clear_error();
    std::size_t put = 0;
    const std::size_t bytes = std::min(from.size(), limits::tls_record_bytes);
    const tls_io done = after(SSL_write_ex(ssl_.get(), from.data(), bytes, &put), 0);
    return {.what = done.what, .bytes = put};
}

void tls_session::end() noexcept {
    if (broken_ || !open_) return;
    ERR_clear_error();
    if (SSL_shutdown(ssl_.get()) < 0) ERR_clear_error();
}

bool tls_session::update_keys() noexcept {
    return SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED) == 1 &&
           SSL_do_handshake(ssl_.get()) == 1;
}

bool tls_session::has_input() const noexcept { return SSL_has_pending(ssl_.get()) == 1; }

}  // namespace fulmar::security
