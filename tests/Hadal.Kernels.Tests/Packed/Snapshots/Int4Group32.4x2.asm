; Int4Group32.4x2: 1417 bytes
    mov          rax, [rdi]
    mov          rdx, [rdi+8]
    mov          r11, [rdi+0x10]
    mov          r8, [rdi+0x18]
    mov          r9, [rdi+0x20]
    mov          r10, [rdi+0x28]
    mov          ecx, [rdi+0x38]
    mov          esi, 0xf0f0f0f
    vpbroadcastd zmm21, esi
L1:
    vpxord       zmm8, zmm8, zmm8
    vpxord       zmm9, zmm9, zmm9
    vpxord       zmm10, zmm10, zmm10
    vpxord       zmm11, zmm11, zmm11
    vpxord       zmm12, zmm12, zmm12
    vpxord       zmm13, zmm13, zmm13
    vpxord       zmm14, zmm14, zmm14
    vpxord       zmm15, zmm15, zmm15
    mov          esi, [rdi+0x3c]
    cmp          ecx, 1
    cmove        esi, [rdi+0x40]
L2:
    vpbroadcastd zmm0, [r9]
    vpbroadcastd zmm1, [r9]
    vpbroadcastd zmm2, [r9]
    vpbroadcastd zmm3, [r9]
    vpbroadcastd zmm4, [r9+4]
    vpbroadcastd zmm5, [r9+4]
    vpbroadcastd zmm6, [r9+4]
    vpbroadcastd zmm7, [r9+4]
    add          r9, 8
    prefetcht0   [rax+0x2000]
    prefetcht0   [rax+0x2040]
    prefetcht0   [rax+0x2080]
    prefetcht0   [rax+0x20c0]
    vpandd       zmm16, zmm21, [rax]
    vpandd       zmm17, zmm21, [rax+0x40]
    vpandd       zmm18, zmm21, [rax+0x80]
    vpandd       zmm19, zmm21, [rax+0xc0]
    vpbroadcastd zmm20, [rdx]
    vpdpbusd     zmm0, zmm16, zmm20
    vpdpbusd     zmm1, zmm17, zmm20
    vpdpbusd     zmm2, zmm18, zmm20
    vpdpbusd     zmm3, zmm19, zmm20
    vpbroadcastd zmm20, [rdx+4]
    vpdpbusd     zmm4, zmm16, zmm20
    vpdpbusd     zmm5, zmm17, zmm20
    vpdpbusd     zmm6, zmm18, zmm20
    vpdpbusd     zmm7, zmm19, zmm20
    vpsrld       zmm16, [rax], 4
    vpandd       zmm16, zmm16, zmm21
    vpsrld       zmm17, [rax+0x40], 4
    vpandd       zmm17, zmm17, zmm21
    vpsrld       zmm18, [rax+0x80], 4
    vpandd       zmm18, zmm18, zmm21
    vpsrld       zmm19, [rax+0xc0], 4
    vpandd       zmm19, zmm19, zmm21
    vpbroadcastd zmm20, [rdx+8]
    vpdpbusd     zmm0, zmm16, zmm20
    vpdpbusd     zmm1, zmm17, zmm20
    vpdpbusd     zmm2, zmm18, zmm20
    vpdpbusd     zmm3, zmm19, zmm20
    vpbroadcastd zmm20, [rdx+0xc]
    vpdpbusd     zmm4, zmm16, zmm20
    vpdpbusd     zmm5, zmm17, zmm20
    vpdpbusd     zmm6, zmm18, zmm20
    vpdpbusd     zmm7, zmm19, zmm20
    prefetcht0   [rax+0x2100]
    prefetcht0   [rax+0x2140]
    prefetcht0   [rax+0x2180]
    prefetcht0   [rax+0x21c0]
    vpandd       zmm16, zmm21, [rax+0x100]
    vpandd       zmm17, zmm21, [rax+0x140]
    vpandd       zmm18, zmm21, [rax+0x180]
    vpandd       zmm19, zmm21, [rax+0x1c0]
    vpbroadcastd zmm20, [rdx+0x10]
    vpdpbusd     zmm0, zmm16, zmm20
    vpdpbusd     zmm1, zmm17, zmm20
    vpdpbusd     zmm2, zmm18, zmm20
    vpdpbusd     zmm3, zmm19, zmm20
    vpbroadcastd zmm20, [rdx+0x14]
    vpdpbusd     zmm4, zmm16, zmm20
    vpdpbusd     zmm5, zmm17, zmm20
    vpdpbusd     zmm6, zmm18, zmm20
    vpdpbusd     zmm7, zmm19, zmm20
    vpsrld       zmm16, [rax+0x100], 4
    vpandd       zmm16, zmm16, zmm21
    vpsrld       zmm17, [rax+0x140], 4
    vpandd       zmm17, zmm17, zmm21
    vpsrld       zmm18, [rax+0x180], 4
    vpandd       zmm18, zmm18, zmm21
    vpsrld       zmm19, [rax+0x1c0], 4
    vpandd       zmm19, zmm19, zmm21
    vpbroadcastd zmm20, [rdx+0x18]
    vpdpbusd     zmm0, zmm16, zmm20
    vpdpbusd     zmm1, zmm17, zmm20
    vpdpbusd     zmm2, zmm18, zmm20
    vpdpbusd     zmm3, zmm19, zmm20
    vpbroadcastd zmm20, [rdx+0x1c]
    vpdpbusd     zmm4, zmm16, zmm20
    vpdpbusd     zmm5, zmm17, zmm20
    vpdpbusd     zmm6, zmm18, zmm20
    vpdpbusd     zmm7, zmm19, zmm20
    prefetcht0   [rax+0x2200]
    prefetcht0   [rax+0x2240]
    prefetcht0   [rax+0x2280]
    prefetcht0   [rax+0x22c0]
    vpandd       zmm16, zmm21, [rax+0x200]
    vpandd       zmm17, zmm21, [rax+0x240]
    vpandd       zmm18, zmm21, [rax+0x280]
    vpandd       zmm19, zmm21, [rax+0x2c0]
    vpbroadcastd zmm20, [rdx+0x20]
    vpdpbusd     zmm0, zmm16, zmm20
    vpdpbusd     zmm1, zmm17, zmm20
    vpdpbusd     zmm2, zmm18, zmm20
    vpdpbusd     zmm3, zmm19, zmm20
    vpbroadcastd zmm20, [rdx+0x24]
    vpdpbusd     zmm4, zmm16, zmm20
    vpdpbusd     zmm5, zmm17, zmm20
    vpdpbusd     zmm6, zmm18, zmm20
    vpdpbusd     zmm7, zmm19, zmm20
    vpsrld       zmm16, [rax+0x200], 4
    vpandd       zmm16, zmm16, zmm21
    vpsrld       zmm17, [rax+0x240], 4
    vpandd       zmm17, zmm17, zmm21
    vpsrld       zmm18, [rax+0x280], 4
    vpandd       zmm18, zmm18, zmm21
    vpsrld       zmm19, [rax+0x2c0], 4
    vpandd       zmm19, zmm19, zmm21
    vpbroadcastd zmm20, [rdx+0x28]
    vpdpbusd     zmm0, zmm16, zmm20
    vpdpbusd     zmm1, zmm17, zmm20
    vpdpbusd     zmm2, zmm18, zmm20
    vpdpbusd     zmm3, zmm19, zmm20
    vpbroadcastd zmm20, [rdx+0x2c]
    vpdpbusd     zmm4, zmm16, zmm20
    vpdpbusd     zmm5, zmm17, zmm20
    vpdpbusd     zmm6, zmm18, zmm20
    vpdpbusd     zmm7, zmm19, zmm20
    prefetcht0   [rax+0x2300]
    prefetcht0   [rax+0x2340]
    prefetcht0   [rax+0x2380]
    prefetcht0   [rax+0x23c0]
    vpandd       zmm16, zmm21, [rax+0x300]
    vpandd       zmm17, zmm21, [rax+0x340]
    vpandd       zmm18, zmm21, [rax+0x380]
    vpandd       zmm19, zmm21, [rax+0x3c0]
    vpbroadcastd zmm20, [rdx+0x30]
    vpdpbusd     zmm0, zmm16, zmm20
    vpdpbusd     zmm1, zmm17, zmm20
    vpdpbusd     zmm2, zmm18, zmm20
    vpdpbusd     zmm3, zmm19, zmm20
    vpbroadcastd zmm20, [rdx+0x34]
    vpdpbusd     zmm4, zmm16, zmm20
    vpdpbusd     zmm5, zmm17, zmm20
    vpdpbusd     zmm6, zmm18, zmm20
    vpdpbusd     zmm7, zmm19, zmm20
    vpsrld       zmm16, [rax+0x300], 4
    vpandd       zmm16, zmm16, zmm21
    vpsrld       zmm17, [rax+0x340], 4
    vpandd       zmm17, zmm17, zmm21
    vpsrld       zmm18, [rax+0x380], 4
    vpandd       zmm18, zmm18, zmm21
    vpsrld       zmm19, [rax+0x3c0], 4
    vpandd       zmm19, zmm19, zmm21
    vpbroadcastd zmm20, [rdx+0x38]
    vpdpbusd     zmm0, zmm16, zmm20
    vpdpbusd     zmm1, zmm17, zmm20
    vpdpbusd     zmm2, zmm18, zmm20
    vpdpbusd     zmm3, zmm19, zmm20
    vpbroadcastd zmm20, [rdx+0x3c]
    vpdpbusd     zmm4, zmm16, zmm20
    vpdpbusd     zmm5, zmm17, zmm20
    vpdpbusd     zmm6, zmm18, zmm20
    vpdpbusd     zmm7, zmm19, zmm20
    add          rax, 0x400
    add          rdx, 0x40
    vcvtph2ps    zmm16, [rax]
    vcvtph2ps    zmm17, [rax+0x20]
    vcvtph2ps    zmm18, [rax+0x40]
    vcvtph2ps    zmm19, [rax+0x60]
    vcvtdq2ps    zmm0, zmm0
    vfmadd231ps  zmm8, zmm0, zmm16
    vcvtdq2ps    zmm1, zmm1
    vfmadd231ps  zmm9, zmm1, zmm17
    vcvtdq2ps    zmm2, zmm2
    vfmadd231ps  zmm10, zmm2, zmm18
    vcvtdq2ps    zmm3, zmm3
    vfmadd231ps  zmm11, zmm3, zmm19
    vcvtdq2ps    zmm4, zmm4
    vfmadd231ps  zmm12, zmm4, zmm16
    vcvtdq2ps    zmm5, zmm5
    vfmadd231ps  zmm13, zmm5, zmm17
    vcvtdq2ps    zmm6, zmm6
    vfmadd231ps  zmm14, zmm6, zmm18
    vcvtdq2ps    zmm7, zmm7
    vfmadd231ps  zmm15, zmm7, zmm19
    add          rax, 0x80
    dec          esi
    jne          near L2
    vmovups      zmm16, [r11]
    vfmadd231ps  zmm16, zmm8, [r8]{1to16}
    vmovups      [r11], zmm16
    vmovups      zmm17, [r11+0x40]
    vfmadd231ps  zmm17, zmm9, [r8]{1to16}
    vmovups      [r11+0x40], zmm17
    vmovups      zmm18, [r11+0x80]
    vfmadd231ps  zmm18, zmm10, [r8]{1to16}
    vmovups      [r11+0x80], zmm18
    vmovups      zmm19, [r11+0xc0]
    vfmadd231ps  zmm19, zmm11, [r8]{1to16}
    vmovups      [r11+0xc0], zmm19
    vmovups      zmm16, [r11+0x100]
    vfmadd231ps  zmm16, zmm12, [r8+4]{1to16}
    vmovups      [r11+0x100], zmm16
    vmovups      zmm17, [r11+0x140]
    vfmadd231ps  zmm17, zmm13, [r8+4]{1to16}
    vmovups      [r11+0x140], zmm17
    vmovups      zmm18, [r11+0x180]
    vfmadd231ps  zmm18, zmm14, [r8+4]{1to16}
    vmovups      [r11+0x180], zmm18
    vmovups      zmm19, [r11+0x1c0]
    vfmadd231ps  zmm19, zmm15, [r8+4]{1to16}
    vmovups      [r11+0x1c0], zmm19
    add          r8, 8
    dec          ecx
    jne          near L1
    vzeroupper
    ret
